#pragma once

namespace sluice {

/// Deletes what a C library made, by the library's own function: for `std::unique_ptr`.
template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* held) const {
    destroy(held);
  }
};

}  // namespace sluice
