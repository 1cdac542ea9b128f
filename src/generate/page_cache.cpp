#include "generate/page_cache.h"

#include "base/check.h"

namespace motley {
namespace {

// Prefixes are numbered once and never again, so equal keys mean equal tokens since the start.
std::string key_of(uint64_t prefix_before, std::span<const int32_t> tokens) {
  std::string key(reinterpret_cast<const char*>(&prefix_before), sizeof prefix_before);
  return key.append(reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes());
}

}  // namespace

PageCache::PageCache(int64_t pages, int64_t page_tokens) : page_tokens_(page_tokens), pages_(static_cast<size_t>(pages)) {
  for (int64_t p = pages; p-- > 0;) free_.push_back(static_cast<int32_t>(p));
}

std::vector<int32_t> PageCache::match(std::span<const int32_t> tokens) {
  std::vector<int32_t> out;
  auto page = static_cast<size_t>(page_tokens_);
  uint64_t prefix = 0;
  for (size_t end = page; end < tokens.size(); end += page) {
    auto it = by_key_.find(key_of(prefix, tokens.subspan(end - page, page)));
    if (it == by_key_.end()) break;
    Page& p = pages_[static_cast<size_t>(it->second)];
    if (p.users++ == 0) idle_.erase(p.idle);
    prefix = p.prefix;
    out.push_back(it->second);
  }
  return out;
}

std::optional<int32_t> PageCache::allocate() {
  int32_t page;
  if (!free_.empty()) {
    page = free_.back();
    free_.pop_back();
  } else if (!idle_.empty()) {
    page = idle_.front();
    idle_.pop_front();
    Page& p = pages_[static_cast<size_t>(page)];
    by_key_.erase(p.key);
    p.key.clear();
    p.prefix = 0;
  } else {
    return std::nullopt;
  }
  pages_[static_cast<size_t>(page)].users = 1;
  return page;
}

void PageCache::publish(int32_t page, std::optional<int32_t> page_before, std::span<const int32_t> tokens) {
  Page& p = pages_[static_cast<size_t>(page)];
  if (p.prefix != 0) return;
  std::string key = key_of(page_before ? pages_[static_cast<size_t>(*page_before)].prefix : 0, tokens);
  auto [it, fresh] = by_key_.emplace(key, page);
  p.prefix = fresh ? next_prefix_++ : pages_[static_cast<size_t>(it->second)].prefix;
  if (fresh) p.key = std::move(key);
}

void PageCache::release(int32_t page) {
  Page& p = pages_[static_cast<size_t>(page)];
  check(p.users > 0, "a page is released as often as it was taken");
  if (--p.users > 0) return;
  if (p.key.empty()) {
    p.prefix = 0;
    free_.push_back(page);
  } else {
    p.idle = idle_.insert(idle_.end(), page);
  }
}

}  // namespace motley
