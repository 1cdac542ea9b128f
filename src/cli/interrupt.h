// Ctrl-C as a question that a loop can ask, while an Interrupt lives. A second Ctrl-C ends the program. A loop that has half a file to take
// away asks for SIGTERM and SIGHUP too, which otherwise end the program where it stands.
#pragma once

namespace motley {

class Interrupt {
 public:
  enum class Signals { ctrl_c, all };
  explicit Interrupt(Signals signals = Signals::ctrl_c);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  bool asked() const;
  void reset();
};

}  // namespace motley
