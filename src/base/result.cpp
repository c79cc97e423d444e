#include "sluice/base/result.hpp"

#include <iterator>
#include <string>
#include <string_view>

namespace sluice {
namespace {

class Category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "sluice"; }

  std::string message(int value) const override {
    constexpr std::string_view kMessages[] = {"the service is unavailable; nothing was done",
                                              "no answer in time; it may have been done",
                                              "the lane is not ready under this epoch",
                                              "somebody newer owns it",
                                              "not found",
                                              "not understood",
                                              "a bound was reached",
                                              "internal error"};
    // The first code is 1: 0 is no error.
    const auto place = static_cast<std::size_t>(value) - 1;
    if (place < std::size(kMessages)) return std::string(kMessages[place]);
    return "unknown error " + std::to_string(value);
  }
};

}  // namespace

const boost::system::error_category& sluice_category() noexcept {
  static const Category category;
  return category;
}

boost::system::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), sluice_category()};
}

}  // namespace sluice
