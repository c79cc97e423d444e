#pragma once

#include <atomic>
#include <sqlite3.h>

namespace sluice::test {

/// Stands between SQLite and the disk while it lives: what is opened meanwhile fails as told.
class FaultyDisk {
 public:
  FaultyDisk() {
    real_ = sqlite3_vfs_find(nullptr);
    current_ = this;
    vfs_ = *real_;
    vfs_.zName = "faulty";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.pNext = nullptr;
    vfs_.xOpen = &FaultyDisk::open;
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~FaultyDisk() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_, 1);
    current_ = nullptr;
  }
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  /// Lets every fsync from now on wait for `go_on`.
  void hang() { syncs_hang = true; }
  void go_on() {
    syncs_hang = false;
    syncs_hang.notify_all();
  }

  std::atomic<bool> full = false;         ///< Writes answer that no room is left.
  std::atomic<bool> writes_fail = false;  ///< Writes answer an I/O error.
  std::atomic<bool> syncs_fail = false;   ///< fsync answers an I/O error, after good writes.
  std::atomic<bool> syncs_hang = false;   ///< fsync waits as long as this is set.
  std::atomic<bool> hangs = false;        ///< An fsync waits now.
  std::atomic<int> syncs = 0;             ///< fsyncs that went well.

 private:
  struct File {
    sqlite3_file base;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  static File* own(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  static sqlite3_file* real(sqlite3_file* file) { return own(file)->real(); }

  static int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    file->pMethods = nullptr;
    const int code = current_->real_->xOpen(current_->real_, name, real(file), flags, out_flags);
    if (code == SQLITE_OK) file->pMethods = methods();
    return code;
  }

  static int close(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }
  static int read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
    return real(file)->pMethods->xRead(real(file), to, size, at);
  }
  static int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
    if (current_->full) return SQLITE_FULL;
    if (current_->writes_fail) return SQLITE_IOERR_WRITE;
    return real(file)->pMethods->xWrite(real(file), from, size, at);
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    return real(file)->pMethods->xTruncate(real(file), size);
  }
  static int sync(sqlite3_file* file, int flags) {
    current_->hangs = current_->syncs_hang.load();
    current_->hangs.notify_all();
    current_->syncs_hang.wait(true);
    current_->hangs = false;
    if (current_->syncs_fail) return SQLITE_IOERR_FSYNC;
    ++current_->syncs;
    return real(file)->pMethods->xSync(real(file), flags);
  }
  static int size(sqlite3_file* file, sqlite3_int64* size) {
    return real(file)->pMethods->xFileSize(real(file), size);
  }
  static int lock(sqlite3_file* file, int level) {
    return real(file)->pMethods->xLock(real(file), level);
  }
  static int unlock(sqlite3_file* file, int level) {
    return real(file)->pMethods->xUnlock(real(file), level);
  }
  static int reserved(sqlite3_file* file, int* result) {
    return real(file)->pMethods->xCheckReservedLock(real(file), result);
  }
  static int control(sqlite3_file* file, int operation, void* argument) {
    return real(file)->pMethods->xFileControl(real(file), operation, argument);
  }
  static int sector(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
  static int traits(sqlite3_file* file) {
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
  }

  static int map(sqlite3_file* file, int region, int size, int extend, void volatile** to) {
    return real(file)->pMethods->xShmMap(real(file), region, size, extend, to);
  }
  static int lock_shared(sqlite3_file* file, int offset, int count, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
  }
  static void barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
  static int unmap(sqlite3_file* file, int remove) {
    return real(file)->pMethods->xShmUnmap(real(file), remove);
  }

  static const sqlite3_io_methods* methods() {
    static const sqlite3_io_methods kMethods = [] {
      sqlite3_io_methods made{};
      made.iVersion = 2;
      made.xClose = &FaultyDisk::close;
      made.xRead = &FaultyDisk::read;
      made.xWrite = &FaultyDisk::write;
      made.xTruncate = &FaultyDisk::truncate;
      made.xSync = &FaultyDisk::sync;
      made.xFileSize = &FaultyDisk::size;
      made.xLock = &FaultyDisk::lock;
      made.xUnlock = &FaultyDisk::unlock;
      made.xCheckReservedLock = &FaultyDisk::reserved;
      made.xFileControl = &FaultyDisk::control;
      made.xSectorSize = &FaultyDisk::sector;
      made.xDeviceCharacteristics = &FaultyDisk::traits;
      made.xShmMap = &FaultyDisk::map;
      made.xShmLock = &FaultyDisk::lock_shared;
      made.xShmBarrier = &FaultyDisk::barrier;
      made.xShmUnmap = &FaultyDisk::unmap;
      return made;
    }();
    return &kMethods;
  }

  static inline FaultyDisk* current_ = nullptr;
  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
};

}  // namespace sluice::test
