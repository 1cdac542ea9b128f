// A checkpoint compiled for the CPU and run by its kernels.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "control/session.h"
#include "text_model.h"

namespace motley {

class CompiledModel : public TextModel {
 public:
  CompiledModel(const std::string& path, int64_t context, int threads = 2);

  void reset() override { length_ = 0; }
  std::vector<std::vector<double>> step(const std::vector<int32_t>& tokens) override;

 private:
  std::unique_ptr<Session> session_;
  int32_t length_ = 0;
};

}  // namespace motley
