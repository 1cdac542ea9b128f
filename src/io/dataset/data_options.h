// What to read for training or evaluation, and how. Every field has a value that suits most data; the command line has a flag for each.
//
//   DataOptions options{.path = "sst2/train.tsv", .labels = LabelKind::classes};
//   Samples samples = read_samples(options, *tokenizer);      // io/dataset/samples.h
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/dataset/augment.h"

namespace motley {

enum class LabelKind {
  none,       // the records are texts to learn from, nothing else
  automatic,  // classes, or numbers where any label has a fraction
  classes,    // one of several names or whole numbers
  values,     // a number each, for regression
  several,    // any number of classes each
  texts,      // none, but each record is two texts that belong together, perhaps with a third that does not: what counts is where each ends
};

struct DataOptions {
  std::string path = {};  // a file, a folder of files, or a pattern such as data/*.jsonl.gz
  // auto, or text, jsonl, alpaca, sharegpt, messages, csv, tsv, folders (a folder per class), tokens (shards, docs/formats/tokens.md)
  std::string format = "auto";
  // Where a plain text is cut into documents: auto, none, line, blank (at empty lines), or the words that stand between documents.
  std::string split = "auto";
  std::string part = "train";  // of a folder that holds train and test, as aclImdb
  // Of csv, tsv, jsonl; found by their usual names when empty. The negative one is of LabelKind::texts.
  std::string text_column = {}, pair_column = {}, negative_column = {}, label_column = {};

  LabelKind labels = LabelKind::none;
  std::vector<std::string> classes = {};  // known beforehand (of the model, of the training data); empty: those that occur
  std::string label_separator = ",";      // between several labels in one field

  // Of a pair the second text answers the first, which an encoder reads: the tokens of the first do not count, those of the second do.
  bool answers = false;

  std::string chat_template = {};  // its source, for conversations; empty: the tokenizer's own
  bool score_prompts = false;      // conversations: every token counts, not only the answers
  bool end_of_text = true;         // an end token behind each text that is learned from
  AugmentOptions augment = {};     // of labelled texts to learn from
  int64_t max_tokens = 0;          // records with more are cut (texts without labels never are); 0: as long as they come

  std::string cache_folder = {};  // where tokens are kept between runs; empty: nowhere
  int threads = 1;                // that tokenise
};

}  // namespace motley
