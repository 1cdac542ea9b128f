// Runs the program as a user's shell would.
//
//   Ran r = run({"tokenize", model, "--json"}, {.input = "hello"});
//   EXPECT_EQ(r.code, 0) << r.err;
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace motley {

struct RunOptions {
  std::string input = {};                                           // of its standard input
  std::vector<std::pair<std::string, std::string>> variables = {};  // of its environment, beside this process's own
  bool nobody_reads = false;                                        // standard output is a pipe that is closed at the other end
  uint64_t max_file_bytes = 0;                                      // no file may grow beyond this; 0: as large as the disk allows
};

struct Ran {
  int code = -1;  // its exit code; 1000 and the signal's number when a signal ended it
  std::string out, err;
  nlohmann::json json() const;  // of out; a test failure when it is none
};

Ran run(const std::vector<std::string>& arguments, const RunOptions& options = {});

}  // namespace motley
