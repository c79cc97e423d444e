#include "sluice/base/result.hpp"

#include <string>

namespace sluice {
namespace {

class Category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "sluice"; }

  std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::unavailable:
        return "the service is unavailable; nothing was done";
      case Errc::unknown:
        return "no answer in time; it may have been done";
      case Errc::not_ready:
        return "the lane is not ready under this epoch";
      case Errc::stale:
        return "somebody newer owns it";
      case Errc::not_found:
        return "not found";
      case Errc::invalid:
        return "not understood";
      case Errc::overloaded:
        return "a bound was reached";
      case Errc::internal:
        return "internal error";
    }
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
