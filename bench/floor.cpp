// The floor of the refusal benchmark: one thread, one epoll, one fixed answer to whatever arrives.
// It does not look at requests: one is counted by the blank line that ends its header, and each is
// taken to arrive in one piece, as wrk sends them. No server that reads its requests can be faster.

#include <arpa/inet.h>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

// As long as Sluice's own answer to a sold-out purchase.
constexpr std::string_view kBody =
    R"({"type":"urn:sluice:problem:sold_out","title":"The sale is sold out.","status":409,)"
    R"("code":"sold_out"})";

const std::string& fixed_answer() {
  static const std::string answer =
      "HTTP/1.1 409 Conflict\r\n"
      "Content-Type: application/problem+json\r\n"
      "Cache-Control: no-store\r\n"
      "Content-Length: " +
      std::to_string(kBody.size()) +
      "\r\n"
      "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
      "\r\n" +
      std::string(kBody);
  return answer;
}

int listen_on(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd, 1024) != 0) {
    std::perror("floor");
    std::exit(EXIT_FAILURE);
  }
  return fd;
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void accept_one(int epoll, int listener) {
  const int client = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
  if (client < 0) return;
  const int on = 1;
  ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  watch(epoll, client);
}

void answer(int fd) {
  static std::array<char, 65536> buffer;
  const auto count = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (count <= 0) {
    ::close(fd);
    return;
  }
  std::string_view rest(buffer.data(), static_cast<std::size_t>(count));
  const auto& bytes = fixed_answer();
  for (auto end = rest.find("\r\n\r\n"); end != std::string_view::npos;
       end = rest.find("\r\n\r\n")) {
    rest.remove_prefix(end + 4);
    if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) {
      ::close(fd);
      return;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: floor PORT\n", stderr);
    return EXIT_FAILURE;
  }
  const int listener = listen_on(static_cast<std::uint16_t>(std::atoi(argv[1])));
  const int epoll = ::epoll_create1(0);
  watch(epoll, listener);
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        accept_one(epoll, listener);
      } else {
        answer(fd);
      }
    }
  }
}
