#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdlib>
#include <gtest/gtest.h>
#include <stdexcept>
#include <string>
#include <vector>

#include "redis_support.hpp"
#include "support/run_on.hpp"
#include "support/store_values.hpp"
#include "support/temp_folder.hpp"

namespace sluice::test {
namespace {

const std::string kNewKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

unsigned short free_port() {
  using boost::asio::ip::tcp;
  boost::asio::io_context context;
  return tcp::acceptor(context, {tcp::v4(), 0}).local_endpoint().port();
}

/// A Redis with a certificate for "localhost" of an authority that the test made.
class RedisTls : public testing::Test {
 protected:
  RedisTls() {
    make_authority("ca");
    make_authority("other");
    openssl("req " + kNewKey + " -subj /CN=server -keyout server.key -out server.csr");
    folder_.write("names", "subjectAltName=DNS:localhost\n");
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -extfile names"
        " -out server.pem");
  }

  RedisSettings settings(const std::string& host, const std::string& ca) const {
    auto chosen = settings_of("rediss://" + host + ":" + std::to_string(port_));
    chosen.tls_ca_file = folder_.path(ca);
    return chosen;
  }

  /// Whether a connection with these settings serves within that time.
  static bool serves(const RedisSettings& settings, Millis patience) {
    boost::asio::io_context context(1);
    const auto connection = connect_redis(context.get_executor(), settings);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    return run_on(context, ping(connection, deadline)).has_value();
  }

  std::vector<std::string> options() const {
    return {"--tls-port",         std::to_string(port_),
            "--tls-cert-file",    folder_.path("server.pem"),
            "--tls-key-file",     folder_.path("server.key"),
            "--tls-ca-cert-file", folder_.path("ca.pem"),
            "--tls-auth-clients", "no"};
  }

 private:
  void make_authority(const std::string& name) const {
    openssl("req -x509 " + kNewKey + " -subj /CN=" + name + " -days 2 -keyout " + name +
            ".key -out " + name + ".pem");
  }

  void openssl(const std::string& arguments) const {
    const auto command = "cd " + folder_.path() + " && openssl " + arguments + " 2>log";
    if (std::system(command.c_str()) != 0) throw std::runtime_error(read_all(folder_.path("log")));
  }

  TempFolder folder_;
  unsigned short port_ = free_port();
};

TEST_F(RedisTls, CarriesCallsLargerThanARecordAndConnectsAgain) {
  PrivateRedis server(options());
  RedisWorld world(settings("localhost", "ca.pem"));
  LaneDriver lane(world);
  lane.open(2'000);
  std::vector<Attempt> attempts;
  for (int i = 0; i < 600; ++i) attempts.push_back(lane.attempt("user-" + std::to_string(i)));
  EXPECT_EQ(lane.reserve(attempts).reservations.size(), attempts.size());
  EXPECT_EQ(lane.view().pending, 600U);
  EXPECT_EQ(lane.overdue().size(), 600U);
  server.stop();
  run_until(world.context(), [&] {
    const auto lost = world.ping(Millis{20});
    return !lost && lost.error() == Errc::unavailable;
  });
  server.start();
  ASSERT_EQ(error_of(world.ping()), "ok");
  EXPECT_FALSE(lane.view().ready) << "the next Redis is empty";
}

TEST_F(RedisTls, TrustsNoOtherAuthority) {
  const PrivateRedis server(options());
  EXPECT_TRUE(serves(settings("localhost", "ca.pem"), Millis{10'000}));
  EXPECT_FALSE(serves(settings("localhost", "other.pem"), Millis{500}));
}

TEST_F(RedisTls, TrustsNoOtherHost) {
  const PrivateRedis server(options());
  EXPECT_FALSE(serves(settings("127.0.0.1", "ca.pem"), Millis{500}));
}

TEST_F(RedisTls, RefusesFilesThatCannotBeUsed) {
  boost::asio::io_context context(1);
  auto wrong = settings("localhost", "nowhere.pem");
  EXPECT_THROW(connect_redis(context.get_executor(), wrong), std::invalid_argument);
  wrong = settings("localhost", "ca.pem");
  wrong.tls_cert_file = wrong.tls_ca_file;
  wrong.tls_key_file = settings("", "server.key").tls_ca_file;
  EXPECT_THROW(connect_redis(context.get_executor(), wrong), std::invalid_argument);
}

}  // namespace
}  // namespace sluice::test
