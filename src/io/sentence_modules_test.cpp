#include "io/sentence_modules.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace motley {
namespace {

const char* const kModules = R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
                                 {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
                                 {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"}])";

std::string refusal(const SentenceFiles& files) {
  try {
    parse_sentence_modules(files, "folder");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::file);
    return e.what();
  }
  return "";
}

TEST(SentenceModules, SayPoolingLengthAndTheLongestText) {
  const SentenceModules s = parse_sentence_modules(
      {kModules, R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})", R"({"max_seq_length": 256})"}, "folder");
  EXPECT_EQ(s.pooling, "cls");
  EXPECT_TRUE(s.normalise);
  EXPECT_EQ(s.max_tokens, 256);
  EXPECT_EQ(parse_sentence_modules({kModules, R"({"pooling_mode_lasttoken": true})", ""}, "folder").pooling, "lasttoken");
  EXPECT_EQ(parse_sentence_modules({kModules, "", ""}, "folder").pooling, "mean");
  EXPECT_EQ(pooling_folder(kModules, "folder"), "1_Pooling");
}

TEST(SentenceModules, WhatIsPrintedReadsBack) {
  for (const char* pooling : {"mean", "cls", "lasttoken"})
    for (bool normalise : {false, true}) {
      const auto files = print_sentence_modules({pooling, normalise, 128}, 384);
      ASSERT_EQ(files.size(), 3u);
      EXPECT_EQ(files[1].first, pooling_folder(files[0].second, "folder") + "/config.json");
      const SentenceModules s = parse_sentence_modules({files[0].second, files[1].second, files[2].second}, "folder");
      EXPECT_EQ(s.pooling, pooling);
      EXPECT_EQ(s.normalise, normalise);
      EXPECT_EQ(s.max_tokens, 128);
    }
}

TEST(SentenceModules, WhatIsNotSupportedIsNamed) {
  EXPECT_NE(refusal({R"([{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}])", "", ""}).find("the step 'Dense' is not supported"),
            std::string::npos);
  EXPECT_NE(refusal({kModules, R"({"pooling_mode_max_tokens": true})", ""}).find("pools by 'max_tokens'"), std::string::npos);
  EXPECT_NE(refusal({kModules, R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true})", ""}).find("joins several ways"),
            std::string::npos);
  EXPECT_NE(refusal({kModules, "", R"({"max_seq_length": -1})"}).find("'max_seq_length' is -1"), std::string::npos);
  EXPECT_NE(refusal({R"({"type": "Pooling"})", "", ""}).find("expected a list of steps"), std::string::npos);
}

TEST(SentenceModules, AStepsFolderIsAPlainNameWithinTheModels) {
  EXPECT_THROW(pooling_folder(R"([{"type": "x.Pooling", "path": "../../etc"}])", "folder"), Error);
}

}  // namespace
}  // namespace motley
