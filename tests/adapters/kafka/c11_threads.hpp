#pragma once

// Included by one source of each test program. librdkafka uses C11 threads, of which g++ 12's
// ThreadSanitizer sees nothing: it crashes in their threads and reports every hand-over through
// them. These definitions take the place of the C library's and lead to the POSIX functions it
// knows.
#ifdef __SANITIZE_THREAD__

#include <cerrno>
#include <cstdint>
#include <memory>
#include <pthread.h>
#include <threads.h>

namespace sluice::test {

struct C11Start {
  thrd_start_t run;
  void* argument;
};

inline void* run_c11_thread(void* opaque) {
  const std::unique_ptr<C11Start> start(static_cast<C11Start*>(opaque));
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(start->run(start->argument)));
}

inline int c11_result(int error) {
  if (error == 0) return thrd_success;
  if (error == ETIMEDOUT) return thrd_timedout;
  return error == EBUSY ? thrd_busy : thrd_error;
}

inline pthread_mutex_t* posix(mtx_t* mutex) { return reinterpret_cast<pthread_mutex_t*>(mutex); }
inline pthread_cond_t* posix(cnd_t* condition) {
  return reinterpret_cast<pthread_cond_t*>(condition);
}

}  // namespace sluice::test

extern "C" {

int thrd_create(thrd_t* thread, thrd_start_t run, void* argument) {
  auto start = std::make_unique<sluice::test::C11Start>(sluice::test::C11Start{run, argument});
  const auto error = pthread_create(thread, nullptr, sluice::test::run_c11_thread, start.get());
  if (error == 0) static_cast<void>(start.release());
  return sluice::test::c11_result(error);
}

int thrd_join(thrd_t thread, int* result) {
  void* returned = nullptr;
  const auto error = pthread_join(thread, &returned);
  if (result != nullptr) *result = static_cast<int>(reinterpret_cast<std::intptr_t>(returned));
  return sluice::test::c11_result(error);
}

int thrd_detach(thrd_t thread) { return sluice::test::c11_result(pthread_detach(thread)); }

int mtx_init(mtx_t* mutex, int kind) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  if ((kind & mtx_recursive) != 0) {
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  }
  const auto error = pthread_mutex_init(sluice::test::posix(mutex), &attributes);
  pthread_mutexattr_destroy(&attributes);
  return sluice::test::c11_result(error);
}

void mtx_destroy(mtx_t* mutex) { pthread_mutex_destroy(sluice::test::posix(mutex)); }

int mtx_lock(mtx_t* mutex) {
  return sluice::test::c11_result(pthread_mutex_lock(sluice::test::posix(mutex)));
}

int mtx_trylock(mtx_t* mutex) {
  return sluice::test::c11_result(pthread_mutex_trylock(sluice::test::posix(mutex)));
}

int mtx_unlock(mtx_t* mutex) {
  return sluice::test::c11_result(pthread_mutex_unlock(sluice::test::posix(mutex)));
}

int cnd_init(cnd_t* condition) {
  return sluice::test::c11_result(pthread_cond_init(sluice::test::posix(condition), nullptr));
}

void cnd_destroy(cnd_t* condition) { pthread_cond_destroy(sluice::test::posix(condition)); }

int cnd_signal(cnd_t* condition) {
  return sluice::test::c11_result(pthread_cond_signal(sluice::test::posix(condition)));
}

int cnd_broadcast(cnd_t* condition) {
  return sluice::test::c11_result(pthread_cond_broadcast(sluice::test::posix(condition)));
}

int cnd_wait(cnd_t* condition, mtx_t* mutex) {
  return sluice::test::c11_result(
      pthread_cond_wait(sluice::test::posix(condition), sluice::test::posix(mutex)));
}

int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
  return sluice::test::c11_result(
      pthread_cond_timedwait(sluice::test::posix(condition), sluice::test::posix(mutex), until));
}

}  // extern "C"

#endif
