// Preloaded into a server: makes the disk full, broken or slow, as a mapped file says from outside.
// The file, named by CAMPAIGN_DISK_CONTROL, holds two 32-bit integers: what to do, and how much of it.
// Only regular files opened by the server itself are hit, so that its log and sockets stay as they
// are.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  DISK_WELL = 0,
  DISK_FULL = 1,         // writes fail with ENOSPC
  DISK_SLOW = 2,         // each sync takes so many milliseconds longer
  DISK_SYNC_FAILS = 3,   // syncs fail with EIO
  DISK_WRITE_FAILS = 4,  // writes fail with EIO
  DISK_SHORT = 5,        // writes take half of what they are given, then ENOSPC
};

static volatile int32_t* control;

__attribute__((constructor)) static void open_control(void) {
  const char* path = getenv("CAMPAIGN_DISK_CONTROL");
  if (path == NULL) return;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void* mapped = mmap(NULL, 2 * sizeof(int32_t), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped != MAP_FAILED) control = mapped;
}

static int wish(int fd) {
  struct stat about;
  if (control == NULL || control[0] == DISK_WELL || fd <= 2) return DISK_WELL;
  if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) return DISK_WELL;
  return control[0];
}

// What a write of so many bytes may write; -1 with errno when none.
static ssize_t allowed(int fd, size_t count) {
  switch (wish(fd)) {
    case DISK_FULL:
      errno = ENOSPC;
      return -1;
    case DISK_WRITE_FAILS:
      errno = EIO;
      return -1;
    case DISK_SHORT:
      if (count > 1) return (ssize_t)(count / 2);
      errno = ENOSPC;
      return -1;
    default:
      return (ssize_t)count;
  }
}

// Whether a sync may be done, after the time that it takes.
static int sync_allowed(int fd) {
  const int kind = wish(fd);
  if (kind == DISK_SYNC_FAILS) {
    errno = EIO;
    return 0;
  }
  if (kind == DISK_SLOW) {
    const int32_t ms = control[1];
    const struct timespec span = {ms / 1000, (long)(ms % 1000) * 1000000L};
    nanosleep(&span, NULL);
  }
  return 1;
}

typedef ssize_t (*Write)(int, const void*, size_t);
typedef ssize_t (*WriteAt)(int, const void*, size_t, off64_t);
typedef int (*Truncate)(int, off64_t);
typedef int (*Sync)(int);

ssize_t write(int fd, const void* data, size_t count) {
  static Write next;
  if (next == NULL) next = (Write)dlsym(RTLD_NEXT, "write");
  const ssize_t may = allowed(fd, count);
  return may < 0 ? may : next(fd, data, (size_t)may);
}

ssize_t pwrite64(int fd, const void* data, size_t count, off64_t at) {
  static WriteAt next;
  if (next == NULL) next = (WriteAt)dlsym(RTLD_NEXT, "pwrite64");
  const ssize_t may = allowed(fd, count);
  return may < 0 ? may : next(fd, data, (size_t)may, at);
}

int ftruncate64(int fd, off64_t size) {
  static Truncate next;
  if (next == NULL) next = (Truncate)dlsym(RTLD_NEXT, "ftruncate64");
  return allowed(fd, 2) < 0 ? -1 : next(fd, size);
}

int fdatasync(int fd) {
  static Sync next;
  if (next == NULL) next = (Sync)dlsym(RTLD_NEXT, "fdatasync");
  return sync_allowed(fd) ? next(fd) : -1;
}

int fsync(int fd) {
  static Sync next;
  if (next == NULL) next = (Sync)dlsym(RTLD_NEXT, "fsync");
  return sync_allowed(fd) ? next(fd) : -1;
}
