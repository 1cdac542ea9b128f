#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <initializer_list>

namespace motley {
namespace {

volatile std::sig_atomic_t g_asked = 0;  // the only thing a signal handler may touch

void on_interrupt(int signal) {
  // Only somebody at the keyboard is impatient: a terminal that closes may send SIGHUP twice.
  if (g_asked && signal == SIGINT) _exit(130);
  g_asked = 1;
}

}  // namespace

Interrupt::Interrupt(Signals signals) {
  g_asked = 0;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  if (signals == Signals::ctrl_c) return;
  for (int other : {SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(other, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(other, &action, nullptr);  // nohup stays nohup
  }
}

Interrupt::~Interrupt() {
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    sigaction(signal, nullptr, &now);
    if (now.sa_handler == on_interrupt) std::signal(signal, SIG_DFL);
  }
}

bool Interrupt::asked() const { return g_asked != 0; }
void Interrupt::reset() { g_asked = 0; }

}  // namespace motley
