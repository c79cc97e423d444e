#pragma once

#include <memory>
#include <string>

#include "sluice/adapters/sqlite/stores.hpp"

#include "adapters/sqlite/connection.hpp"

namespace sluice::sqlite {

/// The file's absolute path: made if missing, with a folder in which a log can be made. Throws as
/// `open_sqlite`, as all here.
std::string usable_path(const SqliteSettings& settings);

/// Takes the file at `path` for this object alone, in any process: while it lives, another waits
/// up to its `wait` and throws.
class FileLock {
 public:
  FileLock(const std::string& path, Millis wait);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_ = -1;
};

/// Checks that the file is ours, brings its schema up to date and ends the leases of the dead.
std::unique_ptr<Connection> open_writer(const std::string& path, const SqliteSettings& settings,
                                        std::shared_ptr<Clock> clock);

/// A second connection, beside the writer's.
std::unique_ptr<Connection> open_reader(const std::string& path, std::shared_ptr<Clock> clock);

}  // namespace sluice::sqlite
