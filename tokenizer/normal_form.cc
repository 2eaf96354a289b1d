#include "tokenizer/normal_form.h"

#include <utf8proc.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/status.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

constexpr char32_t kCharacters = 0x110000;
constexpr char32_t kFirstJamoVowel = 0x1161, kLastJamoVowel = 0x1175;
constexpr char32_t kFirstJamoFinal = 0x11A8, kLastJamoFinal = 0x11C2;

struct CharacterRange {
  char32_t first, last;
};

// Characters that Unicode 9 did not have, with a combining class or a decomposition since; and
// U+11A7, which utf8proc takes for a Hangul final.
constexpr CharacterRange kInert[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},
    {0xC3C, 0xC3C},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x11A7, 0x11A7},
    {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0x32FF, 0x32FF},
    {0xA7F2, 0xA7F4},   {0xA82C, 0xA82C},   {0xAB69, 0xAB69},   {0x10781, 0x10785},
    {0x10787, 0x107B0}, {0x107B2, 0x107BA}, {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC},
    {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11070, 0x11070},
    {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11930},
    {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0},
    {0x11A34, 0x11A34}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42},
    {0x11D44, 0x11D45}, {0x11D97, 0x11D97}, {0x11F41, 0x11F42}, {0x16FF0, 0x16FF1},
    {0x1E030, 0x1E06D}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE},
    {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9},

};

utf8proc_option_t OptionsOf(NormalForm form) {
  int options = UTF8PROC_STABLE;
  options |=
      form == NormalForm::kNfc || form == NormalForm::kNfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::kNfkc || form == NormalForm::kNfkd) options |= UTF8PROC_COMPAT;
  return static_cast<utf8proc_option_t>(options);
}

void AppendNormal(absl::string_view text, utf8proc_option_t options, std::string* normal) {
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &mapped, options);
  TY_CHECK(size >= 0);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  normal->append(reinterpret_cast<const char*>(mapped), static_cast<size_t>(size));
}

// How a character acts in one form.
enum class Role : uint8_t {
  kStable,    // stays as it is, and nothing before it changes because of it
  kInert,     // the same, and nothing after it changes it
  kUnstable,  // may change, or change what is before it
};

class Roles {
 public:
  explicit Roles(NormalForm form) : roles_(kCharacters, Role::kStable) {
    const bool composes = form == NormalForm::kNfc || form == NormalForm::kNfkc;
    const utf8proc_option_t options = OptionsOf(form);
    for (char32_t c = 0xA0; c < kCharacters; ++c) {
      if (c < 0xD800 || c > 0xDFFF) Judge(c, options, composes);
    }
    for (const CharacterRange& range : kInert) {
      for (char32_t c = range.first; c <= range.last; ++c) roles_[c] = Role::kInert;
    }
  }

  Role Of(char32_t c) const { return roles_[c]; }

 private:
  void Judge(char32_t c, utf8proc_option_t options, bool composes) {
    const utf8proc_property_t* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
    const bool hangul = c >= 0xAC00 && c <= 0xD7A3;
    const bool follower = composes && ((c >= kFirstJamoVowel && c <= kLastJamoVowel) ||
                                       (c >= kFirstJamoFinal && c <= kLastJamoFinal));
    if (property->combining_class != 0 || follower) roles_[c] = Role::kUnstable;
    if (property->decomp_seqindex == UINT16_MAX && !hangul) return;
    std::string character, normal, parts;
    AppendUtf8(c, &character);
    AppendNormal(character, options, &normal);
    if (normal != character) roles_[c] = Role::kUnstable;
    if (!composes || hangul) return;
    AppendNormal(character, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE),
                 &parts);
    if (parts == character) return;
    size_t last = parts.size() - 1;  // the part that a starter before it composes with
    while ((static_cast<uint8_t>(parts[last]) & 0xC0) == 0x80) --last;
    if (last > 0) roles_[DecodeUtf8(parts.data() + last)] = Role::kUnstable;
  }

  std::vector<Role> roles_;
};

const Roles& RolesOf(NormalForm form) {
  switch (form) {
    case NormalForm::kNfc: {
      static const Roles roles(NormalForm::kNfc);
      return roles;
    }
    case NormalForm::kNfd: {
      static const Roles roles(NormalForm::kNfd);
      return roles;
    }
    case NormalForm::kNfkc: {
      static const Roles roles(NormalForm::kNfkc);
      return roles;
    }
    default: {
      static const Roles roles(NormalForm::kNfkd);
      return roles;
    }
  }
}

bool IsAscii(absl::string_view text) {
  uint8_t bits = 0;
  for (const char byte : text) bits |= static_cast<uint8_t>(byte);
  return bits < 0x80;
}

}  // namespace

bool Normalize(NormalForm form, absl::string_view text, std::string* normal) {
  if (IsAscii(text)) return false;
  const Roles& roles = RolesOf(form);
  const utf8proc_option_t options = OptionsOf(form);
  size_t copied = 0;
  size_t region = 0;  // where a change at `at` may begin: the stable character before it
  bool changed = false;
  for (size_t at = 0; at < text.size();) {
    const Role role = roles.Of(DecodeUtf8(text.data() + at));
    if (role != Role::kUnstable) {
      const size_t next = at + Utf8Length(text[at]);
      region = role == Role::kStable ? at : next;
      at = next;
      continue;
    }
    size_t end = at;
    while (end < text.size() && roles.Of(DecodeUtf8(text.data() + end)) == Role::kUnstable) {
      end += Utf8Length(text[end]);
    }
    if (!changed) normal->clear();
    changed = true;
    normal->append(text.data() + copied, region - copied);
    AppendNormal(text.substr(region, end - region), options, normal);
    copied = region = at = end;
  }
  if (changed) normal->append(text.data() + copied, text.size() - copied);
  return changed;
}

}  // namespace trainyard::tokenizer
