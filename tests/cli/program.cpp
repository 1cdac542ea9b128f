#include "program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "base/file.h"
#include "material.h"

namespace motley {

nlohmann::json Ran::json() const {
  auto parsed = nlohmann::json::parse(out, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << "no JSON: " << out << err;
  return parsed;
}

Ran run(const std::vector<std::string>& arguments, const RunOptions& options) {
  TempFolder folder;
  const std::string input = folder.write("input", options.input), out = folder / "out", err = folder / "err";
  std::vector<std::string> words = {MOTLEY_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);

  int closed[2];
  if (::pipe(closed) != 0) return {};
  ::close(closed[0]);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open(input.c_str(), O_RDONLY), 0);
    ::dup2(options.nobody_reads ? closed[1] : ::open(out.c_str(), O_WRONLY | O_CREAT, 0600), 1);
    ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0600), 2);
    // A developer's own settings are no part of a test.
    for (const char* name : {"MOTLEY_ISA", "MOTLEY_THREADS", "MOTLEY_MODEL"}) ::unsetenv(name);
    for (const auto& [name, value] : options.variables) ::setenv(name.c_str(), value.c_str(), 1);
    if (options.max_file_bytes > 0) {
      rlimit limit{options.max_file_bytes, options.max_file_bytes};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ::execv(argv[0], argv.data());
    ::_exit(126);
  }
  ::close(closed[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  Ran ran;
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  constexpr uint64_t kMost = uint64_t{1} << 30;
  if (!options.nobody_reads) ran.out = read_file(out, kMost);
  ran.err = read_file(err, kMost);
  return ran;
}

}  // namespace motley
