#include "base/text_filter.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/text.h"

extern char** environ;

namespace motley {
namespace {

constexpr size_t kShownError = 400;  // bytes of what the command complained about
constexpr int kPollMs = 100, kEndMs = 1;
using Clock = std::chrono::steady_clock;

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor read, write;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail(ErrorKind::runtime, "command", "cannot make a pipe: {}", std::strerror(errno));
    read = Descriptor(ends[0]), write = Descriptor(ends[1]);
  }
};

// A reader that has gone is an error of write() here, not the end of this program.
class WithoutPipeSignal {
 public:
  WithoutPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~WithoutPipeSignal() {
    const timespec now{};
    while (sigtimedwait(&pipe_, nullptr, &now) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutPipeSignal(const WithoutPipeSignal&) = delete;
  WithoutPipeSignal& operator=(const WithoutPipeSignal&) = delete;

 private:
  sigset_t pipe_, before_;
};

// The command with all that it starts, as a process group of its own.
class Child {
 public:
  Child(const std::string& command, const Pipe& in, const Pipe& out, const Pipe& err) {
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in.read.get(), 0);
    posix_spawn_file_actions_adddup2(&files, out.write.get(), 1);
    posix_spawn_file_actions_adddup2(&files, err.write.get(), 2);
    posix_spawnattr_t how;
    posix_spawnattr_init(&how);
    sigset_t usual, none;
    sigemptyset(&usual), sigemptyset(&none);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_setsigdefault(&how, &usual);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    std::string shell = "sh", option = "-c", words = command;
    std::array<char*, 4> arguments = {shell.data(), option.data(), words.data(), nullptr};
    const int problem = posix_spawn(&pid_, "/bin/sh", &files, &how, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    if (problem != 0) fail(ErrorKind::runtime, "command", "cannot start '{}': {}", printable(command), std::strerror(problem));
  }
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // How it ended, once it has.
  std::optional<int> ended() {
    int status = 0;
    const pid_t which = ::waitpid(pid_, &status, WNOHANG);
    if (which == 0 || (which < 0 && errno == EINTR)) return std::nullopt;
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
};

// What is there now; closes at the end.
void read_some(Descriptor& from, std::string& to) {
  std::array<char, 1 << 16> block;
  const ssize_t n = ::read(from.get(), block.data(), block.size());
  if (n > 0)
    to.append(block.data(), static_cast<size_t>(n));
  else if (n == 0 || (errno != EINTR && errno != EAGAIN))
    from.close();
}

std::string complaint(const std::string& said) {
  const auto words = trim(said);
  if (words.empty()) return "";
  return ": " + printable_lines(words.substr(words.size() - std::min(words.size(), kShownError)));
}

}  // namespace

std::string run_filter(const std::string& command, std::string_view input, const FilterLimits& limits, const std::function<void()>& wait) {
  const WithoutPipeSignal quiet;
  Pipe in, out, err;
  Child child(command, in, out, err);
  in.read.close(), out.write.close(), err.write.close();
  ::fcntl(in.write.get(), F_SETFL, O_NONBLOCK);
  const auto deadline = Clock::now() + std::chrono::duration<double>(limits.seconds);
  std::string result, said;
  auto in_time = [&] {
    if (Clock::now() > deadline)
      fail(ErrorKind::runtime, "command", "'{}' did not end within {:.6g} seconds and was stopped{}", printable(command), limits.seconds,
           complaint(said));
    if (wait) wait();
  };
  while (out.read.get() >= 0 || err.read.get() >= 0) {
    if (input.empty()) in.write.close();
    std::array<pollfd, 3> ready = {pollfd{out.read.get(), POLLIN, 0}, pollfd{err.read.get(), POLLIN, 0}, pollfd{in.write.get(), POLLOUT, 0}};
    ::poll(ready.data(), ready.size(), kPollMs);  // negative descriptors are passed over
    if (ready[0].revents != 0) read_some(out.read, result);
    if (ready[1].revents != 0) read_some(err.read, said);
    if (ready[2].revents != 0) {
      const ssize_t n = ::write(in.write.get(), input.data(), input.size());
      if (n > 0)
        input.remove_prefix(static_cast<size_t>(n));
      else if (errno != EINTR && errno != EAGAIN)
        input = {};  // it reads no more; its code or its output will tell why
    }
    if (said.size() > 2 * kShownError) said.erase(0, said.size() - kShownError);
    if (result.size() > limits.output_bytes)
      fail(ErrorKind::runtime, "command", "'{}' wrote more than {} bytes and was stopped", printable(command), limits.output_bytes);
    in_time();
  }
  in.write.close();  // whoever reads on finds the end
  std::optional<int> end;
  while (!(end = child.ended())) {
    in_time();
    ::poll(nullptr, 0, kEndMs);
  }
  const int status = *end;
  if (WIFSIGNALED(status))
    fail(ErrorKind::runtime, "command", "'{}' was ended by signal {}{}", printable(command), WTERMSIG(status), complaint(said));
  if (WEXITSTATUS(status) != 0)
    fail(ErrorKind::runtime, "command", "'{}' ended with code {}{}", printable(command), WEXITSTATUS(status), complaint(said));
  return result;
}

}  // namespace motley
