#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>

namespace motley {
namespace {

volatile std::sig_atomic_t g_asked = 0;  // the only thing a signal handler may touch

void on_interrupt(int) {
  if (g_asked) _exit(130);
  g_asked = 1;
}

}  // namespace

Interrupt::Interrupt() {
  g_asked = 0;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

Interrupt::~Interrupt() { std::signal(SIGINT, SIG_DFL); }
bool Interrupt::asked() const { return g_asked != 0; }
void Interrupt::reset() { g_asked = 0; }

}  // namespace motley
