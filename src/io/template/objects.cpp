#include "io/template/objects.h"

#include <fmt/format.h>

#include <cstring>

#include "base/text.h"
#include "io/template/render.h"

namespace motley::jinja {

int64_t Range::length() const {
  if (step > 0 ? start >= stop : start <= stop) return 0;
  // Widened: the distance of two 64-bit integers need not fit one.
  __extension__ using Wide = __int128;
  Wide distance = step > 0 ? static_cast<Wide>(stop) - start : static_cast<Wide>(start) - stop;
  Wide stride = step > 0 ? static_cast<Wide>(step) : -static_cast<Wide>(step);
  return static_cast<int64_t>((distance + stride - 1) / stride);
}

bool is_iterable(const Value& v) {
  switch (v.kind()) {
    case Kind::undefined:
    case Kind::text:
    case Kind::list:
    case Kind::dict:
      return true;
    case Kind::object: {
      auto k = v.object()->kind;
      return k == ObjectKind::iterator || k == ObjectKind::range || k == ObjectKind::view || k == ObjectKind::loop;
    }
    default:
      return false;
  }
}

Pull iterate(Heap& heap, const Value& v) {
  switch (v.kind()) {
    case Kind::undefined:
      return [](Value&) { return false; };
    case Kind::text:
      return [&heap, v, at = size_t{0}](Value& out) mutable {
        std::string_view s = view(v);
        if (at >= s.size()) return false;
        auto n = static_cast<size_t>(decode_utf8(s, at).length);
        out = heap.text(std::string(s.substr(at, n)));  // plain, also from Markup
        at += n;
        return true;
      };
    case Kind::list:
      return [&heap, v, i = size_t{0}](Value& out) mutable {
        heap.step();
        if (i >= v.list().items.size()) return false;
        out = v.list().items[i++];
        return true;
      };
    case Kind::dict:
      return [&heap, v, i = size_t{0}](Value& out) mutable {
        heap.step();
        if (i >= v.dict().items.size()) return false;
        out = v.dict().items[i++].first;
        return true;
      };
    case Kind::object:
      break;
    default:
      type_error(fmt::format("'{}' object is not iterable", type_name(v)));
  }
  switch (v.object()->kind) {
    case ObjectKind::iterator: {
      auto* it = static_cast<Iterator*>(v.object());
      return [&heap, it](Value& out) {
        Heap::Deeper deeper(heap);  // a filter of a filter of a filter pulls as deep as it was built
        heap.step();
        Running running(it->running);
        return it->pull(out);
      };
    }
    case ObjectKind::range: {
      auto* r = static_cast<Range*>(v.object());
      return [&heap, r, i = int64_t{0}](Value& out) mutable {
        heap.step();
        if (i >= r->length()) return false;
        out = Value(r->start + i++ * r->step);
        return true;
      };
    }
    case ObjectKind::view: {
      auto* w = static_cast<View*>(v.object());
      return [&heap, w, i = size_t{0}](Value& out) mutable {
        heap.step();
        if (i >= w->dict->items.size()) return false;
        auto& [key, value] = w->dict->items[i++];
        out = w->what == ViewKind::keys ? key : w->what == ViewKind::values ? value : heap.tuple({key, value});
        return true;
      };
    }
    case ObjectKind::loop: {
      auto* loop = static_cast<Loop*>(v.object());
      return [&heap, loop](Value& out) {
        Heap::Deeper deeper(heap);
        heap.step();
        Value item;
        if (!loop->next(item)) return false;
        out = heap.tuple({item, Value(loop)});
        return true;
      };
    }
    default:
      type_error(fmt::format("'{}' object is not iterable", type_name(v)));
  }
}

Pull iterate_later(Heap& heap, const Value& v) {
  return [&heap, v, pull = Pull()](Value& out) mutable {
    if (!pull) pull = iterate(heap, v);
    return pull(out);
  };
}

std::vector<Value> to_vector(Heap& heap, const Value& v) {
  if (v.is(Kind::list)) {
    heap.step(static_cast<int64_t>(v.list().items.size()) / 4);
    heap.expect_room(v.list().items.size() * sizeof(Value));
    return v.list().items;
  }
  std::vector<Value> out;
  Pull pull = iterate(heap, v);
  Value item;
  while (pull(item)) {
    out.push_back(std::move(item));
    if ((out.size() & 1023) == 0) heap.expect_room(out.size() * sizeof(Value));
  }
  return out;
}

std::optional<int64_t> length_of(const Value& v) {
  switch (v.kind()) {
    case Kind::undefined:
      return 0;
    case Kind::text:
      return v.text().length;
    case Kind::list:
      return static_cast<int64_t>(v.list().items.size());
    case Kind::dict:
      return static_cast<int64_t>(v.dict().items.size());
    case Kind::object:
      break;
    default:
      return std::nullopt;
  }
  if (auto* range = as<Range>(v, ObjectKind::range)) return range->length();
  if (auto* items = as<View>(v, ObjectKind::view)) return static_cast<int64_t>(items->dict->items.size());
  if (auto* loop = as<Loop>(v, ObjectKind::loop)) return loop->known_length;
  return std::nullopt;
}

bool contains(Heap& heap, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::undefined:
      return false;
    case Kind::text: {
      if (item.is_undefined()) type_error("'in <string>' requires string as left operand, not Undefined");
      if (!item.is_text()) type_error(fmt::format("'in <string>' requires string as left operand, not {}", type_name(item)));
      std::string_view s = view(container), part = view(item);
      heap.work(s.size());
      return part.empty() || memmem(s.data(), s.size(), part.data(), part.size()) != nullptr;
    }
    case Kind::dict:
      return container.dict().find(item) != nullptr;
    case Kind::object:
      if (auto* keys = as<View>(container, ObjectKind::view); keys && keys->what == ViewKind::keys) return keys->dict->find(item) != nullptr;
      [[fallthrough]];
    case Kind::list: {
      if (!is_iterable(container)) type_error(fmt::format("argument of type '{}' is not iterable", type_name(container)));
      Pull pull = iterate(heap, container);
      Value other;
      while (pull(other))
        if (equal(heap, other, item)) return true;
      return false;
    }
    default:
      type_error(fmt::format("argument of type '{}' is not iterable", type_name(container)));
  }
}

}  // namespace motley::jinja
