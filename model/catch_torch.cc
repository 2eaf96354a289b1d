#include "model/catch_torch.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/cause.h"

namespace trainyard::model::internal {
namespace {

absl::string_view FirstLine(absl::string_view text) { return text.substr(0, text.find('\n')); }

}  // namespace

absl::Status StatusOfCurrentException(absl::string_view what) {
  try {
    throw;
  } catch (const c10::OutOfMemoryError& error) {
    return OutOfMemoryError(
        absl::StrCat(what, ": ", FirstLine(error.what_without_backtrace())));
  } catch (const std::bad_alloc&) {
    return OutOfMemoryError(absl::StrCat(what, ": out of memory"));
  } catch (const c10::Error& error) {
    const absl::string_view message = error.what_without_backtrace();
    // The CPU allocator throws a plain error when memory runs out.
    if (message.find("allocate memory") != absl::string_view::npos) {
      return OutOfMemoryError(absl::StrCat(what, ": ", FirstLine(message)));
    }
    return absl::InternalError(absl::StrCat(what, ": ", FirstLine(message)));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(what, ": ", FirstLine(error.what())));
  }
}

}  // namespace trainyard::model::internal
