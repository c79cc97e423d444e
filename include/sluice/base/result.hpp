#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <type_traits>

namespace sluice {

/// Why a port could not answer. The distinction that matters most is whether the work may have been
/// done: only `unknown` leaves that open, and only it must be asked again with the same ids.
enum class Errc {
  unavailable = 1,  ///< Definitely not done: the service could not be reached or refused the work.
  unknown,          ///< The deadline passed or the answer was lost: done or not done.
  not_ready,        ///< The lane has no valid projection under the given epoch. Not done.
  stale,            ///< A newer owner exists (offset, lease or state changed). Not done.
  not_found,        ///< No such row.
  invalid,          ///< The request or what was stored cannot be understood. Not done.
  overloaded,       ///< A bound was reached. Not done.
  internal,         ///< A defect of this program.
};

const boost::system::error_category& sluice_category() noexcept;
boost::system::error_code make_error_code(Errc code) noexcept;

template <class T>
using Result = boost::system::result<T>;

/// What every awaitable operation of a port returns.
template <class T = void>
using Task = boost::asio::awaitable<Result<T>>;

}  // namespace sluice

template <>
struct boost::system::is_error_code_enum<sluice::Errc> : std::true_type {};
