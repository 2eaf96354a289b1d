#include "wire/records.h"

namespace trainyard::wire {
namespace {

static_assert(static_cast<int>(EndClass::kSucceeded) == v1::END_SUCCEEDED);
static_assert(static_cast<int>(EndClass::kOutOfMemory) == v1::END_OUT_OF_MEMORY);
static_assert(static_cast<int>(EndClass::kDeadline) == v1::END_DEADLINE);

}  // namespace

v1::EndReason ToWire(const EndReason& reason) {
  v1::EndReason wire;
  wire.set_class_(static_cast<v1::EndClass>(reason.end_class));
  wire.set_message(reason.message);
  wire.set_step(reason.step);
  wire.set_phase(reason.phase);
  wire.set_task(reason.task);
  wire.set_exit_code(reason.exit_code);
  wire.set_signal(reason.signal);
  wire.set_peak_rss_bytes(reason.peak_rss_bytes);
  return wire;
}

EndReason FromWire(const v1::EndReason& wire) {
  EndReason reason;
  reason.end_class = static_cast<EndClass>(wire.class_());
  reason.message = wire.message();
  reason.step = wire.step();
  reason.phase = wire.phase();
  reason.task = wire.task();
  reason.exit_code = wire.exit_code();
  reason.signal = wire.signal();
  reason.peak_rss_bytes = wire.peak_rss_bytes();
  return reason;
}

v1::Progress ToWire(const Progress& progress) {
  v1::Progress wire;
  wire.set_phase(progress.phase);
  wire.set_step(progress.step);
  wire.set_total_steps(progress.total_steps);
  wire.set_tokens_per_second(progress.tokens_per_second);
  wire.set_headline(progress.headline);
  wire.set_headline_name(progress.headline_name);
  return wire;
}

Progress FromWire(const v1::Progress& wire) {
  return {wire.phase(),    wire.step(),         wire.total_steps(), wire.tokens_per_second(),
          wire.headline(), wire.headline_name()};
}

}  // namespace trainyard::wire
