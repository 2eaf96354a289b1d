#include "data/cursor.h"

#include "base/status.h"

namespace trainyard::data {

std::string CursorToJson(const DataCursor& cursor) {
  return Json{{"step", cursor.step},
              {"pass", cursor.pass},
              {"window", cursor.window},
              {"pack", cursor.pack},
              {"fingerprint", cursor.fingerprint}}
      .dump();
}

absl::StatusOr<DataCursor> CursorFromJson(absl::string_view json, absl::string_view document) {
  TY_ASSIGN_OR_RETURN(const Json root, ParseJson(json, document));
  JsonReader reader(root, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"step", "pass", "window", "pack", "fingerprint"}));
  DataCursor cursor;
  TY_ASSIGN_OR_RETURN(cursor.step, reader.Int("step"));
  TY_ASSIGN_OR_RETURN(cursor.pass, reader.Int("pass"));
  TY_ASSIGN_OR_RETURN(cursor.window, reader.Int("window"));
  TY_ASSIGN_OR_RETURN(cursor.pack, reader.Int("pack"));
  TY_ASSIGN_OR_RETURN(cursor.fingerprint, reader.String("fingerprint"));
  if (cursor.step < 0 || cursor.pass < 0 || cursor.window < 0 || cursor.pack < 0) {
    return absl::InvalidArgumentError(std::string(document) +
                                      ": a data cursor has no negative numbers, this one is " +
                                      CursorToJson(cursor));
  }
  return cursor;
}

}  // namespace trainyard::data
