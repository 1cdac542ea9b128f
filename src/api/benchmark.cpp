#include "api/benchmark.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "nn/families.h"
#include "ops/def.h"
#include "runtime/probe.h"

namespace motley {
namespace {

struct Work {
  double bytes = 0, operations = 0;
  bool int8 = false;  // most operations are integer products
};

// What one step has to read from memory and compute. Activations stay in cache, so only weights and the KV pool count as bytes.
Work work_of(const Graph& graph, const Sizes& sizes, double context) {
  Work work;
  double integer_operations = 0;
  std::vector<char> counted(graph.nodes.size(), 0);
  for (const Node& n : graph.nodes) {
    if (n.in.empty()) continue;
    Types in;
    for (Value v : n.in) in.push_back(graph.type(v));
    Cost cost = cost_of({n.op, in, n.out, sizes, context});
    bool attention = std::holds_alternative<PagedAttention>(n.op), gather = std::holds_alternative<Gather>(n.op),
         expert = std::holds_alternative<ExpertMatmul>(n.op);
    bool product =
        expert || std::holds_alternative<Matmul>(n.op) || std::holds_alternative<FusedMatmul>(n.op) || std::holds_alternative<GluMatmul>(n.op);
    if (product || attention) work.operations += cost.flops;
    if (attention) work.bytes += cost.bytes_read;
    for (size_t i = 0; i < n.in.size(); ++i) {
      const Node& weight = graph.node(n.in[i]);
      if (attention || !std::holds_alternative<State>(weight.op) || std::holds_alternative<CacheAppend>(n.op)) continue;
      double all = static_cast<double>(max_bytes(weight.out[0]));
      if (product && is_quantised(weight.out[0].dtype)) integer_operations += cost.flops;
      if (gather) {
        work.bytes += cost.bytes_read;
      } else if (!counted[static_cast<size_t>(n.in[i].node)]++) {
        work.bytes += expert ? std::min(all, cost.bytes_read) : all;
      }
    }
  }
  work.int8 = integer_operations > work.operations / 2;
  return work;
}

constexpr int64_t kProbedBytes = int64_t{256} << 20;
constexpr int kProbes = 3;

class Bench {
 public:
  Bench(const ModelSource& source, const std::string& type, const BenchmarkOptions& options) : source_(source), type_(type), options_(options) {}

  std::vector<Measurement> run(const std::function<void(const std::string&)>& progress) {
    if (reads_sources(source_.config))
      fail(ErrorKind::usage, "bench", "{} has an encoder; the phases that are measured are those of models that continue texts", source_.name);
    int64_t sequences = 1;
    for (int64_t b : options_.batches) sequences = std::max(sequences, b);
    int64_t positions = std::max(options_.prompt, options_.context + options_.generate * (options_.repeat + 1)) + 1;
    auto device = open_device(options_.device, options_.wishes);
    PlanWishes wishes = options_.plan;
    if (!wishes.context) wishes.context = std::min(positions, source_.config.max_positions);
    if (!wishes.sequences) wishes.sequences = sequences;
    if (!wishes.batch_tokens) wishes.batch_tokens = std::max<int64_t>({options_.prompt > 0 ? std::min<int64_t>(options_.prompt, 512) : 1, sequences});
    Plan plan = make_plan(demand_of(source_), device->target(), wishes);
    progress("probing the machine");
    best_pattern_ = probe_read_bandwidth(*device).best;
    progress("loading");
    session_.emplace(source_, plan, std::move(device), SessionOptions{.skip = options_.skip, .after_pass = {}, .progress = {}});
    std::vector<Measurement> out;
    if (options_.prompt > 0) progress("prefill"), out.push_back(prefill());
    if (options_.generate > 0) progress("decode"), out.push_back(decode(1, "decode"));
    for (int64_t b : options_.batches) progress("batch"), out.push_back(decode(b, "batch"));
    return out;
  }

 private:
  // Tokens first..first+count of each of the sequences 0..sequences.
  StepInputs step(int64_t sequences, int64_t first, int64_t count) const {
    const StepLimits& l = session_->limits();
    StepInputs in;
    for (int64_t s = 0; s < sequences; ++s) {
      for (int64_t p = first; p < first + count; ++p) {
        in.tokens.push_back(static_cast<int32_t>((s * 7919 + p * 104729) % l.vocab));
        in.positions.push_back(static_cast<int32_t>(p));
        in.seq.push_back(static_cast<int32_t>(s));
        in.slots.push_back(static_cast<int32_t>(s * l.blocks * l.page_tokens + p));
      }
      in.rows.push_back(static_cast<int32_t>(in.tokens.size()) - 1);
      for (int64_t b = 0; b < l.blocks; ++b) in.tables.push_back(static_cast<int32_t>(s * l.blocks + b));
    }
    return in;
  }

  double seconds(const std::function<void()>& work) const {
    auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  void run_step(const StepInputs& in) {
    logits_.resize(in.rows.size() * static_cast<size_t>(session_->limits().vocab));
    session_->run(in, logits_);
  }

  // The limits now; a fraction of a second together.
  struct Limits {
    double read = 0, int8 = 0, f32 = 0;
  };
  Limits probe() {
    Device& device = session_->device();
    return {device.probe_reads({&best_pattern_, 1}, kProbedBytes)[0], probe_multiply_add(device, ActivationFormat::q8_32, kProbes),
            probe_multiply_add(device, ActivationFormat::f32, kProbes)};
  }

  static double median(std::vector<double> values) {
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
    return values[values.size() / 2];
  }

  // One untimed pass, then the others, each after a look at the limits, and in turns with what is left out of them.
  Measurement measure(const char* phase, int64_t tokens, int64_t batch, double tokens_per_pass, const Work& work, double tokens_per_step,
                      const std::function<void(int pass)>& pass) {
    pass(0);
    Measurement m{.model = source_.name,
                  .type = type_,
                  .phase = phase,
                  .device = session_->plan().device,
                  .tokens = tokens,
                  .batch = batch,
                  .threads = session_->plan().threads,
                  .bytes_per_token = work.bytes / tokens_per_step,
                  .flops_per_token = work.operations / tokens_per_step,
                  .limit_name = {}};
    std::vector<double> speeds, reads, peaks, without_arithmetic, without_loads;
    auto speed = [&](Omit omit, int i) {
      session_->device().omit(omit);
      double s = seconds([&] { pass(i); });
      session_->device().omit(Omit::nothing);
      return tokens_per_pass / s;
    };
    for (int i = 1; i <= options_.repeat; ++i) {
      Limits limits = probe();
      reads.push_back(limits.read);
      peaks.push_back(work.int8 ? limits.int8 : limits.f32);
      speeds.push_back(speed(Omit::nothing, i));
      if (!options_.bounds) continue;
      without_arithmetic.push_back(speed(Omit::arithmetic, i));
      without_loads.push_back(speed(Omit::loads, i));
    }
    m.tok_s = median(speeds);
    bool bytes_bind = m.bytes_per_token / median(reads) > m.flops_per_token / median(peaks);
    m.limit = median(bytes_bind ? reads : peaks);
    m.limit_name = bytes_bind ? "read bytes/s" : work.int8 ? "int8 op/s" : "f32 op/s";
    std::vector<double> fractions;
    for (size_t i = 0; i < speeds.size(); ++i)
      fractions.push_back(speeds[i] * (bytes_bind ? m.bytes_per_token / reads[i] : m.flops_per_token / peaks[i]));
    m.fraction_of_limit = median(fractions);
    if (options_.bounds) {
      m.without_arithmetic = median(without_arithmetic), m.without_loads = median(without_loads);
      for (size_t i = 0; i < speeds.size(); ++i) speeds[i] /= std::min(without_arithmetic[i], without_loads[i]);
      m.fraction_of_bound = median(speeds);
    }
    return m;
  }

  Measurement prefill() {
    int64_t chunk = session_->limits().tokens, tokens = std::min(options_.prompt, session_->limits().blocks * session_->limits().page_tokens);
    Work work = work_of(session_->compiled().graph, {std::min(chunk, tokens), 1, 1}, static_cast<double>(tokens) / 2);
    return measure("prefill", tokens, 1, static_cast<double>(tokens), work, static_cast<double>(std::min(chunk, tokens)), [&](int) {
      for (int64_t at = 0; at < tokens; at += chunk) run_step(step(1, at, std::min(chunk, tokens - at)));
    });
  }

  Measurement decode(int64_t batch, const char* phase) {
    int64_t n = options_.generate, last = session_->limits().blocks * session_->limits().page_tokens - n;
    double context = static_cast<double>(options_.context) + static_cast<double>(n) * (options_.repeat / 2 + 1.5);
    Work work = work_of(session_->compiled().graph, {batch, batch, batch}, context);
    return measure(phase, n, batch, static_cast<double>(n * batch), work, static_cast<double>(batch), [&](int pass) {
      int64_t at = std::min(options_.context + pass * n, last);
      for (int64_t i = 0; i < n; ++i) run_step(step(batch, at + i, 1));
    });
  }

  const ModelSource& source_;
  std::string type_;
  const BenchmarkOptions& options_;
  std::optional<Session> session_;
  std::vector<float> logits_;
  ReadPattern best_pattern_;
};

}  // namespace

std::vector<Measurement> benchmark(const ModelSource& source, const std::string& type, const BenchmarkOptions& options,
                                   const std::function<void(const std::string&)>& progress) {
  return Bench(source, type, options).run(progress);
}

std::string to_json(const Measurement& m) {
  nlohmann::ordered_json json{{"model", m.model},
                              {"type", m.type},
                              {"phase", m.phase},
                              {"tokens", m.tokens},
                              {"batch", m.batch},
                              {"threads", m.threads},
                              {"device", m.device},
                              {"tok_s", m.tok_s},
                              {"bytes_per_token", m.bytes_per_token},
                              {"flops_per_token", m.flops_per_token},
                              {"limit", m.limit},
                              {"limit_name", m.limit_name},
                              {"fraction_of_limit", m.fraction_of_limit}};
  if (m.without_loads > 0) {
    json["without_arithmetic_tok_s"] = m.without_arithmetic;
    json["without_loads_tok_s"] = m.without_loads;
    json["fraction_of_bound"] = m.fraction_of_bound;
  }
  if (!m.losses.empty()) {
    json["memory_bytes"] = m.memory_bytes;
    json["losses"] = m.losses;
  }
  return json.dump();
}

}  // namespace motley
