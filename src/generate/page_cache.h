// Pages of the KV pool: which sequence uses which, and which finished ones still hold a prefix that a new prompt may start with.
//
// A full page is known by its tokens and by the page before it, so by everything since the start of its sequence; a new prompt that begins
// with the same tokens takes the page instead of computing it again. Pages that nobody uses stay until memory is needed, oldest first. Reuse changes
// no bit of the result, because a row's bits do not depend on how the prompt was cut (design promise 4.15 i).
//
//   PageCache pages(64, 32);
//   auto reused = pages.match(prompt);                   // takes a reference on each page
//   std::optional<int32_t> page = pages.allocate();
//   pages.publish(page, page_before, its_tokens);        // once it is full
//   pages.release(page);
#pragma once
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace motley {

class PageCache {
 public:
  PageCache(int64_t pages, int64_t page_tokens);

  // The longest run of full pages that starts `tokens`, shorter than all of them (the last token must be computed to have logits).
  std::vector<int32_t> match(std::span<const int32_t> tokens);
  std::optional<int32_t> allocate();  // nothing when every page is in use
  // page_before: the sequence's previous page, itself published; nothing for the first.
  void publish(int32_t page, std::optional<int32_t> page_before, std::span<const int32_t> tokens);
  void release(int32_t page);

  int64_t page_tokens() const { return page_tokens_; }
  int64_t available() const { return static_cast<int64_t>(free_.size() + idle_.size()); }  // free, or held only for reuse
  int64_t in_use() const { return static_cast<int64_t>(pages_.size()) - available(); }

 private:
  struct Page {
    int users = 0;
    uint64_t prefix = 0;  // a number of its own for everything up to this page's end; 0: not published
    std::string key;      // under which by_key_ knows it; empty when another page holds the same prefix
    std::list<int32_t>::iterator idle;
  };
  int64_t page_tokens_;
  std::vector<Page> pages_;
  std::vector<int32_t> free_;
  std::list<int32_t> idle_;  // unused but published, oldest first
  std::unordered_map<std::string, int32_t> by_key_;
  uint64_t next_prefix_ = 1;
};

}  // namespace motley
