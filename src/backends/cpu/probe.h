// The CPU's side of runtime/probe.h.
#pragma once
#include <span>
#include <vector>

#include "backends/cpu/kernels/table.h"
#include "base/thread_pool.h"
#include "runtime/device.h"

namespace motley::cpu {

std::vector<double> probe_reads(const KernelTable& kernels, ThreadPool& pool, std::span<const ReadPattern> patterns, int64_t bytes);
double probe_multiply_adds(const KernelTable& kernels, ThreadPool& pool, ActivationFormat format);

}  // namespace motley::cpu
