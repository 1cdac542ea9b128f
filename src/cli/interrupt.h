// Ctrl-C as a question that a loop can ask, while an Interrupt lives. A second Ctrl-C ends the program.
#pragma once

namespace motley {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  bool asked() const;
  void reset();
};

}  // namespace motley
