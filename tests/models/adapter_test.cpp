// Adapters that the `peft` package made, on models whose logits with them it recorded (tools/make_adapter_vectors.py): beside the weights, merged
// into them, and on the same model as a GGUF file, whose rows lie in another order.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "api/open_model.h"
#include "base/file.h"
#include "compress/write_model.h"
#include "generate/scheduler.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

const fs::path kData = fs::path(MOTLEY_SOURCE_DIR) / "tests" / "data";

struct Recorded {
  fs::path adapter;
  std::string model;
  std::vector<int32_t> tokens;
  Tensor logits;  // [tokens, vocabulary]
};

Recorded recorded(const std::string& name) {
  Recorded r{kData / "adapters" / name, {}, {}, {}};
  const std::string path = r.adapter / "reference.json";
  Json json = parse_json(read_file(path, 1 << 20), path);
  r.model = kData / "models" / json["model"].get<std::string>();
  r.tokens = json["tokens"].get<std::vector<int32_t>>();
  r.logits = SafetensorsFile::open(r.adapter / "reference.safetensors").load("logits");
  return r;
}

// The largest distance of any logit.
double error_of(const Recorded& r, const std::string& model, const std::string& adapter) {
  ModelOptions options;
  options.adapter = adapter;
  options.wishes.threads = 2;
  options.plan.context = 64;
  options.plan.rows = 64;
  options.plan.kv_type = Dtype::f32;
  options.plan.reserve_bytes = 0;
  OpenModel opened = open_model(model, options);
  Scheduler scheduler(*opened.session);
  double worst = 0;
  int64_t rows = 0;
  Request request;
  request.prompt = r.tokens;
  request.max_tokens = 0;
  request.on_logits = [&](int64_t position, std::span<const float> row) {
    EXPECT_EQ(position, rows++);
    const float* expected = r.logits.data<float>().data() + position * r.logits.dim(1);
    for (size_t i = 0; i < row.size(); ++i) worst = std::max(worst, std::fabs(static_cast<double>(row[i]) - static_cast<double>(expected[i])));
  };
  scheduler.submit(std::move(request));
  while (!scheduler.idle()) scheduler.step();
  EXPECT_EQ(rows, r.logits.dim(0));
  return worst;
}

class Adapters : public testing::TestWithParam<const char*> {};

TEST_P(Adapters, OfPeftGiveItsLogits) {
  Recorded r = recorded(GetParam());
  EXPECT_LE(error_of(r, r.model, r.adapter), 2e-4);
  EXPECT_GT(error_of(r, r.model, ""), 1e-2) << "the adapter should matter";
}

TEST_P(Adapters, MergedOrOnAGgufFileTheySayTheSame) {
  Recorded r = recorded(GetParam());
  if (std::string_view(GetParam()).find("prefix") != std::string_view::npos) GTEST_SKIP() << "a prefix goes into no weight";
  fs::path folder = fs::temp_directory_path() / ("motley-adapter-" + std::string(GetParam()) + "-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const Checkpoint checkpoint = Checkpoint::open(r.model);
  auto adapter = std::make_shared<const PeftAdapter>(read_peft(r.adapter));
  write_hf(checkpoint, nullptr, folder / "merged", {.adapter = adapter});
  write_gguf(checkpoint, nullptr, folder / "merged.gguf", {.adapter = adapter});
  write_gguf(checkpoint, nullptr, folder / "plain.gguf", {});
  write_gguf(Checkpoint::open(folder / "plain.gguf"), nullptr, folder / "merged2.gguf", {.adapter = adapter});
  EXPECT_LE(error_of(r, folder / "merged", ""), 2e-4);
  EXPECT_LE(error_of(r, folder / "merged.gguf", ""), 2e-4);
  EXPECT_LE(error_of(r, folder / "merged2.gguf", ""), 2e-4);
  EXPECT_LE(error_of(r, folder / "plain.gguf", r.adapter), 2e-4);
  fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Recorded, Adapters,
                         testing::Values("llama3-lora", "gpt2-lora", "gpt-neox-lora", "llama3-ia3", "gpt2-ia3", "llama3-prefix", "gpt2-prefix"),
                         [](const auto& p) {
                           std::string name = p.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace motley
