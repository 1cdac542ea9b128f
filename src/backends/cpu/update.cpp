// Launchers of optimizer steps: runs of elements, each read and written once. Numbers of the whole step (bias corrections, decay) are formed
// in double.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/kernel.h"

namespace motley::cpu {
namespace {

constexpr int64_t kRun = 16384;

// f(begin, count) over runs of n elements.
template <class Function>
void split_runs(int64_t n, Worker& w, Function&& f) {
  w.split((n + kRun - 1) / kRun, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * kRun; i < std::min(n, end * kRun); i += kRun) f(i, std::min(kRun, n - i));
  });
}

double number(const Array& a) { return static_cast<double>(a.f32()[0]); }
double step_of(const Array& a) { return static_cast<double>(a.i32()[0]); }

struct Decay {
  float keep = 1, added = 0;
  Decay(double decay, double lr, bool decoupled)
      : keep(decoupled ? static_cast<float>(1 - lr * decay) : 1), added(decoupled ? 0 : static_cast<float>(decay)) {}
};

// Runs `function` over the states in out[0 ..] and the gradient, unless the scale says that the step is to be skipped.
template <class Kernel>
void run_update(const Launch& l, Worker& w, size_t states, UpdateRun run, Kernel kernel) {
  float scale = l.in.back()->f32()[0];
  if (!std::isfinite(scale)) return;
  run.scale = scale;
  split_runs(l.out[0]->size(), w, [&](int64_t at, int64_t n) {
    UpdateRun part = run;
    part.n = n;
    part.w = l.out[0]->f32() + at;
    part.m = states > 1 ? l.out[1]->f32() + at : nullptr;
    part.v = states > 2 ? l.out[2]->f32() + at : nullptr;
    part.g = l.in[states]->f32() + at;
    kernel(part);
  });
}

void assign(const Launch& l, Worker& w) {
  split_runs(l.out[0]->size(), w, [&](int64_t at, int64_t n) { std::memcpy(l.out[0]->f32() + at, l.in[1]->f32() + at, static_cast<size_t>(n) * 4); });
}

void adamw(const Launch& l, Worker& w) {
  const auto& op = std::get<Adamw>(l.op);
  double lr = number(*l.in[4]), step = step_of(*l.in[5]);
  Decay decay(op.decay, lr, op.decoupled);
  UpdateRun run{};
  run.keep = decay.keep, run.decay = decay.added;
  run.rate = static_cast<float>(lr / (1 - std::pow(op.beta1, step)));
  run.unbias = static_cast<float>(std::sqrt(1 - std::pow(op.beta2, step)));
  run.one_minus_beta1 = static_cast<float>(1 - op.beta1);
  run.beta2 = static_cast<float>(op.beta2), run.one_minus_beta2 = static_cast<float>(1 - op.beta2);
  run.eps = static_cast<float>(op.eps);
  run_update(l, w, 3, run, l.k.adamw);
}

void sgd(const Launch& l, Worker& w) {
  const auto& op = std::get<Sgd>(l.op);
  auto lr = static_cast<float>(number(*l.in[2])), decay = static_cast<float>(op.decay);
  run_update(l, w, 1, {}, [&](const UpdateRun& r) {
    for (int64_t i = 0; i < r.n; ++i) r.w[i] -= lr * (r.g[i] * r.scale + decay * r.w[i]);
  });
}

void sgd_momentum(const Launch& l, Worker& w) {
  const auto& op = std::get<SgdMomentum>(l.op);
  bool first = step_of(*l.in[4]) <= 1;
  double lr = number(*l.in[3]);
  Decay decay(op.decay, lr, op.decoupled);
  UpdateRun run{};
  run.keep = decay.keep, run.decay = decay.added, run.rate = static_cast<float>(lr);
  run.beta1 = first ? 0 : static_cast<float>(op.momentum);
  run.one_minus_beta1 = first ? 1 : static_cast<float>(1 - op.dampening);
  run.beta2 = static_cast<float>(op.momentum);  // looked ahead with
  run.nesterov = op.nesterov;
  run_update(l, w, 2, run, l.k.momentum);
}

void lion(const Launch& l, Worker& w) {
  const auto& op = std::get<Lion>(l.op);
  double lr = number(*l.in[3]);
  UpdateRun run{};
  run.keep = Decay(op.decay, lr, true).keep, run.rate = static_cast<float>(lr);
  run.beta1 = static_cast<float>(op.beta1), run.one_minus_beta1 = static_cast<float>(1 - op.beta1);
  run.beta2 = static_cast<float>(op.beta2), run.one_minus_beta2 = static_cast<float>(1 - op.beta2);
  run_update(l, w, 2, run, l.k.lion);
}

// ---- Adafactor

// The sum over 0 .. n of f(i), in runs of fixed length and then in order, so that it does not depend on who forms which. All get it.
template <class Function>
double ordered_sum(int64_t n, double* sums, Worker& w, Function&& f) {
  w.split((n + kRun - 1) / kRun, 1, [&](int64_t begin, int64_t end) {
    for (int64_t run = begin; run < end; ++run) {
      double sum = 0;
      for (int64_t i = run * kRun; i < std::min(n, (run + 1) * kRun); ++i) sum += f(i);
      sums[run] = sum;
    }
  });
  w.barrier();
  double all = 0;
  for (int64_t run = 0; run < (n + kRun - 1) / kRun; ++run) all += sums[run];
  w.barrier();  // before the next sum overwrites
  return all;
}

double square(double x) { return x * x; }

// square_of(i) is the estimated square of element i's gradient.
template <class Op, class Function>
void adafactor_step(const Op& op, const Launch& l, const Array& gradient, double lr, double step, Worker& w, Function&& square_of) {
  const Array& weight = *l.out[0];
  auto* sums = reinterpret_cast<double*>(l.scratch);
  int64_t n = weight.size();
  double scale = number(*l.in.back()), count = static_cast<double>(n);
  auto update = [&](int64_t i) { return static_cast<double>(gradient.f32()[i]) * scale / std::sqrt(std::max(square_of(i), op.eps1 * op.eps1)); };
  double size = std::sqrt(ordered_sum(n, sums, w, [&](int64_t i) { return square(static_cast<double>(weight.f32()[i])); }) / count);
  double length = std::sqrt(ordered_sum(n, sums, w, [&](int64_t i) { return square(update(i)); }) / count);
  double rate = std::min(lr, 1 / std::sqrt(step)) * std::max(op.eps2, size) / std::max(1.0, length / op.clip), keep = 1 - lr * op.decay;
  split_runs(n, w, [&](int64_t at, int64_t run) {
    for (int64_t i = at; i < at + run; ++i) weight.f32()[i] = static_cast<float>(static_cast<double>(weight.f32()[i]) * keep - rate * update(i));
  });
}

void adafactor(const Launch& l, Worker& w) {
  const auto& op = std::get<Adafactor>(l.op);
  const Array &weight = *l.out[0], &rows = *l.out[1], &columns = *l.out[2], &gradient = *l.in[3];
  double lr = number(*l.in[4]), step = step_of(*l.in[5]), scale = number(*l.in[6]), fresh = std::pow(step, op.power);
  if (!std::isfinite(scale)) return;
  int64_t k = weight.dim(-1), n = weight.dim(-2), matrices = weight.size() / (n * k);
  const float* g = gradient.f32();
  w.split(matrices * n, 4096 / k + 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      double mean = 0;
      for (int64_t j = 0; j < k; ++j) mean += square(static_cast<double>(g[r * k + j]) * scale) / static_cast<double>(k);
      rows.f32()[r] = static_cast<float>(static_cast<double>(rows.f32()[r]) + fresh * (mean - static_cast<double>(rows.f32()[r])));
    }
  });
  w.split(matrices * k, 4096 / n + 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      double mean = 0;
      const float* column = g + c / k * n * k + c % k;
      for (int64_t i = 0; i < n; ++i) mean += square(static_cast<double>(column[i * k]) * scale) / static_cast<double>(n);
      columns.f32()[c] = static_cast<float>(static_cast<double>(columns.f32()[c]) + fresh * (mean - static_cast<double>(columns.f32()[c])));
    }
  });
  w.barrier();
  auto* means = reinterpret_cast<double*>(l.scratch) + weight.size() / kRun + 1;
  if (w.index() == 0)
    for (int64_t m = 0; m < matrices; ++m) {
      double mean = 0;
      for (int64_t i = 0; i < n; ++i) mean += static_cast<double>(rows.f32()[m * n + i]) / static_cast<double>(n);
      means[m] = std::max(mean, op.eps1);
    }
  w.barrier();
  adafactor_step(op, l, gradient, lr, step, w, [&](int64_t i) {
    int64_t m = i / (n * k);
    return static_cast<double>(rows.f32()[i / k]) * static_cast<double>(columns.f32()[m * k + i % k]) / means[m];
  });
}

void adafactor_vector(const Launch& l, Worker& w) {
  const auto& op = std::get<AdafactorVector>(l.op);
  const Array &v = *l.out[1], &gradient = *l.in[2];
  double lr = number(*l.in[3]), step = step_of(*l.in[4]), scale = number(*l.in[5]), fresh = std::pow(step, op.power);
  if (!std::isfinite(scale)) return;
  split_runs(v.size(), w, [&](int64_t at, int64_t n) {
    for (int64_t i = at; i < at + n; ++i) {
      double old = static_cast<double>(v.f32()[i]);
      v.f32()[i] = static_cast<float>(old + fresh * (square(static_cast<double>(gradient.f32()[i]) * scale) - old));
    }
  });
  w.barrier();
  adafactor_step(op, l, gradient, lr, step, w, [&](int64_t i) { return static_cast<double>(v.f32()[i]); });
}

std::string refuse_update(const NodeView& node, const Target&) { return refuse_layouts(node); }
int64_t factor_scratch(const NodeView& node, const Target&) {
  int64_t n = max_elements(node.in[0].shape), matrices = 1;
  for (int i = 0; i + 2 < node.in[0].rank(); ++i) matrices *= node.in[0].dim(i).n;
  return (n / kRun + 1 + matrices) * 8;
}

constexpr CpuKernel kKernels[] = {
    {{"assign", op_index<Assign>(), "exact", refuse_update}, assign},
    {{"adamw", op_index<Adamw>(), "f32", refuse_update}, adamw},
    {{"sgd", op_index<Sgd>(), "f32", refuse_update}, sgd},
    {{"sgd_momentum", op_index<SgdMomentum>(), "f32", refuse_update}, sgd_momentum},
    {{"lion", op_index<Lion>(), "f32", refuse_update}, lion},
    {{"adafactor", op_index<Adafactor>(), "f64", refuse_update, factor_scratch}, adafactor},
    {{"adafactor_vector", op_index<AdafactorVector>(), "f64", refuse_update, factor_scratch}, adafactor_vector},
};

}  // namespace

std::span<const CpuKernel> update_kernels() { return kKernels; }

}  // namespace motley::cpu
