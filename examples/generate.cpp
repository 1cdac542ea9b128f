// The shortest program that runs a model: motley-generate MODEL "Once upon a time"
#include <iostream>

#include "motley/motley.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: " << argv[0] << " MODEL PROMPT\n";
    return 2;
  }
  try {
    motley::Engine engine = motley::Engine::open(argv[1]);
    engine.generate(argv[2], {.max_tokens = 128}, [](std::string_view text) {
      std::cout << text << std::flush;
      return true;
    });
    std::cout << "\n";
  } catch (const motley::Error& e) {
    std::cerr << e.what() << "\n";
    return static_cast<int>(e.kind());
  }
}
