#include "redis_support.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "sluice/base/hash.hpp"

#include "support/run_on.hpp"
#include "support/test_dependency.hpp"

namespace sluice::test {
namespace {

/// A TCP port that was free a moment ago.
int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || ::bind(fd, raw, size) != 0 || ::getsockname(fd, raw, &size) != 0) {
    throw std::runtime_error("no free port");
  }
  ::close(fd);
  return ntohs(address.sin_port);
}

std::string text_of(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_NIL:
      return "(nil)";
    case REDIS_REPLY_INTEGER:
      return std::to_string(reply.integer);
    case REDIS_REPLY_ARRAY: {
      std::string all;
      for (std::size_t i = 0; i < reply.elements; ++i) {
        if (i > 0) all += ' ';
        all += text_of(*reply.element[i]);
      }
      return all;
    }
    case REDIS_REPLY_ERROR:
      throw std::runtime_error(reply.str);
    default:
      return {reply.str, reply.len};
  }
}

bool answers(const std::string& url) {
  try {
    return RedisAdmin(url).ask({"PING"}) == "PONG";
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

std::string shared_redis_url() {
  const char* const url = std::getenv("SLUICE_TEST_REDIS_URL");
  return url ? url : "redis://127.0.0.1:46379";
}

RedisAdmin::RedisAdmin(const std::string& url) {
  const auto address = url.substr(url.find("//") + 2);
  const auto colon = address.find(':');
  const int port = colon == std::string::npos ? 6379 : std::atoi(address.c_str() + colon + 1);
  const timeval patience{5, 0};
  context_.reset(redisConnectWithTimeout(address.substr(0, colon).c_str(), port, patience));
  if (!context_ || context_->err) throw std::runtime_error("no Redis at " + url);
  redisSetTimeout(context_.get(), patience);
}

std::string RedisAdmin::ask(const std::vector<std::string>& words) {
  std::vector<const char*> argv;
  std::vector<std::size_t> lengths;
  for (const auto& word : words) {
    argv.push_back(word.data());
    lengths.push_back(word.size());
  }
  auto* const raw = static_cast<redisReply*>(
      redisCommandArgv(context_.get(), static_cast<int>(argv.size()), argv.data(), lengths.data()));
  if (!raw) throw std::runtime_error(context_->errstr);
  const std::unique_ptr<redisReply, void (*)(redisReply*)> reply(
      raw, [](redisReply* r) { freeReplyObject(r); });
  return text_of(*reply);
}

PrivateRedis::PrivateRedis(std::vector<std::string> options)
    : options_(std::move(options)), port_(free_port()) {
  start();
}

PrivateRedis::~PrivateRedis() { stop(); }

void PrivateRedis::start() {
  std::vector<std::string> words = {"redis-server",
                                    "--bind",
                                    "127.0.0.1",
                                    "--save",
                                    "",
                                    "--dir",
                                    std::filesystem::temp_directory_path().string(),
                                    "--port",
                                    std::to_string(port_),
                                    "--logfile",
                                    "/dev/null",
                                    "--repl-diskless-sync-delay",
                                    "0"};
  words.insert(words.end(), options_.begin(), options_.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!answers(url())) {
    if (std::chrono::steady_clock::now() > limit) {
      stop();
      throw std::runtime_error("redis-server does not start");
    }
    std::this_thread::sleep_for(Millis{5});
  }
}

void PrivateRedis::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void PrivateRedis::freeze() { ::kill(pid_, SIGSTOP); }

void PrivateRedis::thaw() { ::kill(pid_, SIGCONT); }

RedisWorld::RedisWorld(RedisSettings settings)
    : connection_(connect_redis(context_.get_executor(), settings)),
      inventory_(create_redis_inventory(connection_, redis_dependency())),
      admin_(settings.url) {
  if (!ping()) throw std::runtime_error("cannot connect to " + settings.url);
}

RedisWorld::~RedisWorld() {
  try {
    for (const auto lane : lanes_) lose(lane);
  } catch (const std::exception&) {
    // A private Redis may be gone, and its keys with it.
  }
  inventory_.reset();
  connection_.reset();
  context_.restart();
  context_.poll();
}

LaneId RedisWorld::make_lane(std::uint32_t index) {
  const auto random = std::stoull(random_hex(8).substr(0, 13), nullptr, 16);
  lanes_.push_back({static_cast<SaleId>(random) + 1, index});
  return lanes_.back();
}

void RedisWorld::lose(LaneId lane) {
  for (const auto& key : keys_of(lane)) admin_.ask({"DEL", key});
}

Result<void> RedisWorld::ping(Millis patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  return run_on(context_, sluice::ping(connection_, deadline));
}

std::vector<std::string> keys_of(LaneId lane) {
  const auto tag = "{" + std::to_string(lane.sale) + ":" + std::to_string(lane.index) + "}";
  return {"seckill:sale:" + tag, "seckill:stock:" + tag, "seckill:success:" + tag,
          "seckill:pending:" + tag, "seckill:winners:" + tag};
}

RedisSettings settings_of(const std::string& url) {
  RedisSettings settings;
  settings.url = url;
  settings.backoff_min = Millis{10};
  settings.backoff_max = Millis{50};
  settings.client_name = "sluice-test-" + random_hex(6);
  return settings;
}

std::string url_without_redis() { return "redis://127.0.0.1:" + std::to_string(free_port()); }

}  // namespace sluice::test
