// Ops that move elements without changing them.
#include <algorithm>

#include "ops/builder.h"
#include "ops/def.h"
#include "ops/gradient.h"
#include "ops/rules.h"

namespace motley {
namespace {

Cost moved(const CostArgs& a) {
  double bytes = 0;
  for (const Type& t : a.out) bytes += real_bytes(t, a.sizes);
  return {bytes, bytes, 0};
}

// The product of the extents before and after an axis.
struct Around {
  size_t before = 1, after = 1;
  Around(const Shape& s, size_t axis) {
    for (size_t i = 0; i < axis; ++i) before *= static_cast<size_t>(s[i]);
    for (size_t i = axis + 1; i < s.size(); ++i) after *= static_cast<size_t>(s[i]);
  }
};

}  // namespace

template <>
OpDef define<Reshape>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 1, "x");
        const Dims& to = std::get<Reshape>(op).shape;
        // Named sizes stay where they are (in front), so one set of numbers holds for every step.
        auto named = [](const Dims& d) {
          Dims out;
          std::ranges::copy_if(d, std::back_inserter(out), [](const Dim& x) { return x.sym != Sym::none; });
          return out;
        };
        if (max_elements(to) != max_elements(in[0].shape) || named(to) != named(in[0].shape))
          fail(ErrorKind::usage, "reshape", "cannot make [{}] of {}", to_string(to), to_string(in[0]));
        return {{in[0].dtype, to}};
      },
      .cost = moved,
      .eval = [](EvalArgs& a) { a.out[0].data = a.in[0]->data; },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> { return {b.reshape(g.grad[0], b.type(g.in[0]).shape)}; },
      .precision = Precision::follows,
  };
}

template <>
OpDef define<Transpose>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 1, "x");
        const auto& perm = std::get<Transpose>(op).perm;
        std::vector<int64_t> sorted = perm;
        std::ranges::sort(sorted);
        bool valid = sorted.size() == in[0].shape.size();
        for (size_t i = 0; valid && i < sorted.size(); ++i) valid = sorted[i] == static_cast<int64_t>(i);
        if (!valid) fail(ErrorKind::usage, "transpose", "perm must name each axis of {} once", to_string(in[0]));
        Type out{in[0].dtype, {}};
        for (int64_t p : perm) out.shape.push_back(in[0].shape[static_cast<size_t>(p)]);
        return {out};
      },
      .cost = moved,
      .eval =
          [](EvalArgs& a) {
            const auto& perm = std::get<Transpose>(a.op).perm;
            const Shape &from = a.in[0]->shape, &to = a.out[0].shape;
            std::vector<size_t> stride(from.size(), 1);
            for (size_t i = from.size(); i-- > 1;) stride[i - 1] = stride[i] * static_cast<size_t>(from[i]);
            for (size_t i = 0; i < a.out[0].data.size(); ++i) {
              size_t rest = i, source = 0;
              for (size_t axis = to.size(); axis-- > 0;) {
                source += rest % static_cast<size_t>(to[axis]) * stride[static_cast<size_t>(perm[axis])];
                rest /= static_cast<size_t>(to[axis]);
              }
              a.out[0].data[i] = a.in[0]->data[source];
            }
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        const auto& perm = std::get<Transpose>(g.op).perm;
        std::vector<int64_t> back(perm.size());
        for (size_t i = 0; i < perm.size(); ++i) back[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
        return {b.transpose(g.grad[0], back)};
      },
      .precision = Precision::follows,
  };
}

template <>
OpDef define<Slice>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 1, "x");
        const auto& s = std::get<Slice>(op);
        Type out = in[0];
        Dim& d = out.shape[axis_of(op, in[0], s.axis)];
        if (d.sym != Sym::none || s.begin < 0 || s.size < 0 || s.begin > d.n || s.size > d.n - s.begin)
          fail(ErrorKind::usage, "slice", "elements {}..{} of axis {} do not exist in {}", s.begin, s.begin + s.size, s.axis, to_string(in[0]));
        d.n = s.size;
        return {out};
      },
      .cost = moved,
      .eval =
          [](EvalArgs& a) {
            const auto& s = std::get<Slice>(a.op);
            size_t axis = axis_of(a.op, a.in_types[0], s.axis);
            Around around(a.in[0]->shape, axis);
            size_t extent = static_cast<size_t>(a.in[0]->shape[axis]), size = static_cast<size_t>(s.size);
            for (size_t i = 0; i < around.before; ++i)
              std::copy_n(a.in[0]->data.begin() + static_cast<std::ptrdiff_t>((i * extent + static_cast<size_t>(s.begin)) * around.after),
                          size * around.after, a.out[0].data.begin() + static_cast<std::ptrdiff_t>(i * size * around.after));
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        const auto& s = std::get<Slice>(g.op);
        return {b.emit(Pad{s.axis, s.begin, b.type(g.in[0]).dim(s.axis).n - s.begin - s.size}, {g.grad[0]})};
      },
      .precision = Precision::follows,
  };
}

template <>
OpDef define<Concat>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        if (in.empty()) fail(ErrorKind::usage, "concat", "takes at least one input");
        Type out = in[0];
        size_t axis = axis_of(op, in[0], std::get<Concat>(op).axis);
        out.shape[axis].n = 0;
        for (const Type& t : in) {
          Type same = t;
          if (t.rank() != in[0].rank() || t.shape[axis].sym != Sym::none)
            fail(ErrorKind::usage, "concat", "cannot join {} to {}", to_string(t), to_string(in[0]));
          same.shape[axis] = in[0].shape[axis];
          if (same != in[0]) fail(ErrorKind::usage, "concat", "{} differs from {} outside the joined axis", to_string(t), to_string(in[0]));
          out.shape[axis].n += t.shape[axis].n;
        }
        return {out};
      },
      .cost = moved,
      .eval =
          [](EvalArgs& a) {
            size_t axis = axis_of(a.op, a.out_types[0], std::get<Concat>(a.op).axis);
            Around around(a.out[0].shape, axis);
            auto to = a.out[0].data.begin();
            for (size_t i = 0; i < around.before; ++i)
              for (const RefValue* x : a.in) {
                size_t n = static_cast<size_t>(x->shape[axis]) * around.after;
                to = std::copy_n(x->data.begin() + static_cast<std::ptrdiff_t>(i * n), n, to);
              }
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        std::vector<Value> parts;
        int axis = std::get<Concat>(g.op).axis;
        int64_t at = 0;
        for (size_t i = 0; i < g.in.size(); ++i) {
          int64_t n = b.type(g.in[i]).dim(axis).n;
          parts.push_back(g.wants(i) ? b.slice(g.grad[0], axis, at, n) : Value{});
          at += n;
        }
        return parts;
      },
      .precision = Precision::follows,
  };
}

template <>
OpDef define<Pad>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 1, "x");
        const auto& p = std::get<Pad>(op);
        Type out = in[0];
        Dim& d = out.shape[axis_of(op, in[0], p.axis)];
        if (d.sym != Sym::none || p.before < 0 || p.after < 0)
          fail(ErrorKind::usage, "pad", "cannot add {} and {} elements around axis {} of {}", p.before, p.after, p.axis, to_string(in[0]));
        d.n += p.before + p.after;
        return {out};
      },
      .cost = moved,
      .eval =
          [](EvalArgs& a) {
            const auto& p = std::get<Pad>(a.op);
            size_t axis = axis_of(a.op, a.in_types[0], p.axis);
            Around around(a.in[0]->shape, axis);
            size_t run = static_cast<size_t>(a.in[0]->shape[axis]) * around.after, whole = static_cast<size_t>(a.out[0].shape[axis]) * around.after;
            for (size_t i = 0; i < around.before; ++i)
              std::copy_n(a.in[0]->data.begin() + static_cast<std::ptrdiff_t>(i * run), run,
                          a.out[0].data.begin() + static_cast<std::ptrdiff_t>(i * whole + static_cast<size_t>(p.before) * around.after));
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        const auto& p = std::get<Pad>(g.op);
        return {b.slice(g.grad[0], p.axis, p.before, b.type(g.in[0]).dim(p.axis).n)};
      },
      .precision = Precision::follows,
  };
}

template <>
OpDef define<Broadcast>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 1, "x");
        Type to{in[0].dtype, std::get<Broadcast>(op).shape};
        if (to.rank() < in[0].rank() || broadcast(op, to, in[0]) != to)
          fail(ErrorKind::usage, "broadcast", "cannot make {} of {}", to_string(to), to_string(in[0]));
        return {to};
      },
      .cost = moved,
      .eval =
          [](EvalArgs& a) {
            const Shape &from = a.in[0]->shape, &to = a.out[0].shape;
            for (size_t i = 0; i < a.out[0].data.size(); ++i) {
              size_t rest = i, source = 0, stride = 1;
              for (size_t back = 1; back <= from.size(); ++back) {
                auto extent = static_cast<size_t>(to[to.size() - back]), own = static_cast<size_t>(from[from.size() - back]);
                if (own != 1) source += rest % extent * stride;
                rest /= extent, stride *= own;
              }
              a.out[0].data[i] = a.in[0]->data[source];
            }
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> { return {sum_to(b, g.grad[0], b.type(g.in[0]))}; },
      .precision = Precision::follows,
  };
}

template <>
OpDef define<ScatterAdd>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        if (in.size() != 3) expect_inputs(op, in, 2, "y, ids");
        expect_i32(op, in[1], 1, "ids");
        int64_t rows = std::get<ScatterAdd>(op).rows;
        if (in[0].rank() < 1 || in[0].dtype != Dtype::f32 || in[0].dim(0) != in[1].dim(0) || rows < 1)
          fail(ErrorKind::usage, "scatter_add", "takes y f32 [M, ...] and ids i32 [M] for at least one row, got {} and {} for {}", to_string(in[0]),
               to_string(in[1]), rows);
        Type out = in[0];
        out.shape[0] = {rows};
        if (in.size() == 3 && in[2] != out) fail(ErrorKind::usage, "scatter_add", "cannot add to {} rows {}", to_string(in[2]), to_string(out));
        return {out};
      },
      .cost = [](const CostArgs& a) -> Cost {
        double y = real_bytes(a.in[0], a.sizes), all = real_bytes(a.out[0], a.sizes);
        return {a.in.size() == 3 ? y + all : y, all + y, real_elements(a.in[0], a.sizes)};
      },
      .eval =
          [](EvalArgs& a) {
            auto rows = static_cast<size_t>(a.out[0].shape[0]), row = a.out[0].data.size() / rows;
            if (a.in.size() == 3) a.out[0].data = a.in[2]->data;
            for (size_t i = 0; i < a.in[1]->data.size(); ++i) {
              auto id = static_cast<int64_t>(a.in[1]->data[i]);
              if (id < 0 || static_cast<size_t>(id) >= rows) fail(ErrorKind::usage, "scatter_add", "row {} of {}", id, rows);
              for (size_t j = 0; j < row; ++j) a.out[0].data[static_cast<size_t>(id) * row + j] += a.in[0]->data[i * row + j];
            }
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        std::vector<Value> to = {b.gather(g.grad[0], g.in[1]), {}};
        if (g.in.size() == 3) to.push_back(g.grad[0]);
        return to;
      },
  };
}

template <>
OpDef define<ScatterLast>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 2, "y, ids");
        int64_t size = std::get<ScatterLast>(op).size;
        if (in[0].rank() < 1 || in[0].dtype != Dtype::f32 || in[1] != Type{Dtype::i32, in[0].shape} || size < 1)
          fail(ErrorKind::usage, "scatter_last", "takes y f32 and ids i32 of one shape, got {} and {}", to_string(in[0]), to_string(in[1]));
        Dims shape = in[0].shape;
        shape.pop_back();
        shape.push_back({size});
        return {{Dtype::f32, shape}};
      },
      .cost = [](const CostArgs& a) -> Cost {
        return {real_bytes(a.in[0], a.sizes) * 2, real_bytes(a.out[0], a.sizes), 0};
      },
      .eval =
          [](EvalArgs& a) {
            auto k = static_cast<size_t>(a.in[0]->shape.back()), n = static_cast<size_t>(a.out[0].shape.back());
            for (size_t i = 0; i < a.in[0]->data.size(); ++i) {
              auto id = static_cast<int64_t>(a.in[1]->data[i]);
              if (id < 0 || static_cast<size_t>(id) >= n) fail(ErrorKind::usage, "scatter_last", "element {} of {}", id, n);
              a.out[0].data[i / k * n + static_cast<size_t>(id)] += a.in[0]->data[i];
            }
          },
      .no_gradient = "it is itself a gradient",
  };
}

template <>
OpDef define<Gather>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 2, "table, ids");
        if (in[0].rank() < 1 || in[1].rank() != 1 || in[1].dtype != Dtype::i32)
          fail(ErrorKind::usage, "gather", "takes a table [N, ...] and ids i32 [M], got {} and {}", to_string(in[0]), to_string(in[1]));
        Type out{Dtype::f32, in[0].shape};
        out.shape[0] = in[1].shape[0];
        return {out};
      },
      .cost = [](const CostArgs& a) -> Cost {
        double rows = real_elements(a.in[1], a.sizes),
               row = real_bytes(a.in[0], a.sizes) / std::max(1.0, static_cast<double>(a.sizes.of(a.in[0].shape[0])));
        return {rows * row, real_bytes(a.out[0], a.sizes), 0};
      },
      .eval =
          [](EvalArgs& a) {
            size_t row = a.out[0].shape[0] ? a.out[0].data.size() / static_cast<size_t>(a.out[0].shape[0]) : 0;
            for (size_t i = 0; i < static_cast<size_t>(a.out[0].shape[0]); ++i) {
              auto id = static_cast<int64_t>(a.in[1]->data[i]);
              if (id < 0 || id >= a.in[0]->shape[0]) fail(ErrorKind::usage, "gather", "row {} of a table of {}", id, a.in[0]->shape[0]);
              std::copy_n(a.in[0]->data.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(id) * row), row,
                          a.out[0].data.begin() + static_cast<std::ptrdiff_t>(i * row));
            }
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        const Type& table = b.type(g.in[0]);
        if (table.dim(0).sym != Sym::none)
          fail(ErrorKind::usage, "gather", "the gradient needs a table of a fixed number of rows, this is {}", to_string(table));
        return {b.emit(ScatterAdd{table.dim(0).n}, {g.grad[0], g.in[1]}), {}};
      },
  };
}

}  // namespace motley
