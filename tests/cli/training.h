// What the tests of training share: a tiny model that the repository has, a lesson it can learn within a few steps, and runs that are killed.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "material.h"

namespace motley {

// Sentences that follow a rule, so that a tiny model's loss falls within a few steps.
std::string lesson(int sentences = 400);

// The values of a key in the metrics.jsonl of a folder, in order.
std::vector<double> logged(const std::string& folder, const char* key);

class Training : public testing::Test {
 protected:
  void SetUp() override;
  // Trains `model_` on the lesson into this folder, 24 steps unless told otherwise.
  std::vector<std::string> command(const std::string& output, const std::vector<std::string>& more = {}) const;
  std::string weights(const std::string& output, const std::string& file = "model.safetensors") const;
  std::vector<double> losses(const std::string& output, const char* key = "loss") const { return logged(folder_ / output, key); }
  // A run that is never stopped into `whole`, and one that is killed again and again, at any instant, into `killed`, and then ends.
  void run_and_kill(const std::vector<std::string>& more) const;

  TempFolder folder_;
  std::string model_, data_;
};

}  // namespace motley
