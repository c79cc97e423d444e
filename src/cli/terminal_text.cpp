#include "cli/terminal_text.hpp"

namespace sluice {

std::string terminal_text(std::string_view text, std::size_t bytes_max) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 … U+009F are control characters, too, and two bytes in UTF-8.
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0xff;
    const bool control = byte < 0x20 || byte == 0x7f;
    const bool wide_control = byte == 0xc2 && next >= 0x80 && next < 0xa0;
    // A character that does not fit any more is left out whole.
    if ((byte & 0xc0) != 0x80 && out.size() + 4 > bytes_max) return out + "...";
    out += control || wide_control ? '?' : text[i];
    if (wide_control) ++i;
  }
  return out;
}

}  // namespace sluice
