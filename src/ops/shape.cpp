// Ops that move elements without changing them.
#include <algorithm>

#include "ops/def.h"
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
  };
}

}  // namespace motley
