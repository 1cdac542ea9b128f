// Errors a user of Motley can meet, by whose turn it is to act. The library throws them and never prints or exits; the command
// line turns the kind into its exit code.
//
//   try { ... } catch (const motley::Error& e) { std::cerr << e.what(); return static_cast<int>(e.kind()); }
#pragma once
#include <stdexcept>
#include <string>

namespace motley {

// The value of each kind is the exit code of the program (docs/commands.md).
enum class ErrorKind : int {
  runtime = 1,  // something failed while running, or a mistake of ours
  usage = 2,    // a flag, a config key, a request that cannot be
  file = 3,     // a model or data file is missing, damaged, or of a kind not supported
  no_fit = 4,   // does not fit in the memory there is
  device = 5,   // a device or driver is unavailable
  network = 6,  // network, hub, authentication
  quality = 7,  // a quality gate was not met
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace motley
