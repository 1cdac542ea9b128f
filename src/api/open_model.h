// From what a user types to a model ready to run: the path or hub name is resolved, the checkpoint opened, a plan made or read, the device
// opened, the graph compiled and the weights loaded.
//
//   OpenModel model = open_model("models/SmolLM2-135M", {.threads = 2});
//   Scheduler scheduler(*model.session);
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/devices.h"
#include "control/peft.h"
#include "control/session.h"
#include "io/checkpoint.h"
#include "io/tokenizer/tokenizer.h"

namespace motley {

struct ModelOptions {
  std::string device = "cpu";
  std::string place = "auto";  // or the file of a plan
  std::string tokenizer;       // where it is, when not beside the model
  std::string adapter;         // the folder of one that runs beside the weights
  DeviceWishes wishes;
  PlanWishes plan;
  // What is wished for because of what the model is; null: nothing.
  std::function<void(const Checkpoint& checkpoint, const ModelConfig& config, PlanWishes& plan)> wish = {};
  SessionOptions session;
};

// The folder or file of a model: the path itself, or `org/name` in the hub's cache. Error(file) saying what was looked for and where.
std::string resolve_model(const std::string& model);

// What describes a model, with weights or without: a folder, a .gguf file, a config.json alone, or the name of a model in the hub's cache.
ModelConfig open_config(const std::string& model);

// The plan the options ask for: read from a file, or made for this model on this target.
Plan choose_plan(const ModelSource& source, const Target& target, const ModelOptions& options);

struct OpenModel {
  std::string path;
  std::shared_ptr<const Checkpoint> checkpoint;
  std::shared_ptr<const Tokenizer> tokenizer;  // null when the model has none
  ModelSource source;
  std::unique_ptr<Session> session;
  std::string plan_name;  // the plan's file, or the device it runs on
};

// The model of a checkpoint, with the adapter of the options.
ModelSource model_source(std::shared_ptr<const Checkpoint> checkpoint, const ModelOptions& options);

OpenModel open_model(const std::string& model, const ModelOptions& options);

// The tokenizer of a model or tokenizer file; null when there is none beside the model.
std::shared_ptr<const Tokenizer> find_tokenizer(const std::string& path);
std::shared_ptr<const Tokenizer> find_tokenizer(const Checkpoint& checkpoint);

}  // namespace motley
