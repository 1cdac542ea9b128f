// tests/data/encoders: tiny random checkpoints of every head, with answers, losses and gradients made in double precision
// (tools/make_encoder_vectors.py, which says what a reference.json holds).
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "control/model_source.h"
#include "io/json.h"
#include "nn/samples.h"

namespace motley {

inline const std::filesystem::path kEncoders = std::filesystem::path(MOTLEY_SOURCE_DIR) / "tests" / "data" / "encoders";

std::vector<std::string> encoder_names();
std::string encoder_test_name(const testing::TestParamInfo<std::string>& info);

struct EncoderVector {
  ModelSource source;
  Json reference;
  std::vector<Sample> samples;
  std::vector<std::vector<double>> outputs;  // of each sample, flat
};
EncoderVector encoder_vector(const std::string& name);

// What the interpreter makes of the samples in one packed batch, as EncodeSession::run gives it.
std::vector<std::vector<double>> run_by_reference(const ModelSource& source, std::span<const Sample> samples);

}  // namespace motley
