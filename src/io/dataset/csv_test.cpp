#include "io/dataset/csv.h"

#include "io/dataset/dataset_test_support.h"

namespace motley {
namespace {

using namespace test;
using Fields = std::vector<std::string>;

std::vector<CsvRow> rows_of(std::string_view text, char separator = ',') {
  ByteStream in = stream_of(text);
  CsvReader rows(in, separator);
  std::vector<CsvRow> out;
  for (CsvRow row; rows.next(row);) out.push_back(row);
  return out;
}

TEST(Csv, FieldsAreThoseOfRfc4180) {
  auto rows = rows_of("a,b,c\r\n\"x, y\",\"say \"\"hi\"\"\",\n\"two\nlines\",,z\n\n1,2,3");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].fields, (Fields{"a", "b", "c"}));
  EXPECT_EQ(rows[1].fields, (Fields{"x, y", "say \"hi\"", ""}));
  EXPECT_EQ(rows[2].fields, (Fields{"two\nlines", "", "z"}));
  EXPECT_EQ(rows[2].line, 3);
  EXPECT_EQ(rows[2].lines, 2);
  EXPECT_EQ(rows[3].fields, (Fields{"1", "2", "3"}));
  EXPECT_EQ(rows[3].line, 6);
  for (const CsvRow& row : rows) EXPECT_EQ(row.problem, "");
}

TEST(Csv, AQuoteWithinAFieldIsACharacter) {
  EXPECT_EQ(rows_of("5\" disk,it's")[0].fields, (Fields{"5\" disk", "it's"}));
  EXPECT_EQ(rows_of("\"\",\"\"")[0].fields, (Fields{"", ""}));
}

TEST(Csv, WhatCannotBeReadSaysWhereItBegan) {
  auto open = rows_of("a,b\n1,\"open\n2,x\n3,y\n");
  ASSERT_EQ(open.size(), 2u);
  EXPECT_EQ(open[1].line, 2);
  EXPECT_EQ(open[1].lines, 3);
  EXPECT_NE(open[1].problem.find("never closed"), std::string::npos);
  auto after = rows_of("\"a\"b,c\nd,e\n");
  EXPECT_NE(after[0].problem.find("closing quote"), std::string::npos);
  EXPECT_EQ(after[1].fields, (Fields{"d", "e"}));
}

TEST(Csv, TabSeparatedTextsMayHoldQuotesThatMeanNothing) {
  auto rows = rows_of("sentence\tlabel\n\"unfinished quote , \t1\nhe said \"no\" \t0\n\"whole \"\"field\"\"\"\t1\n\"a\" and \"b\"\t0\n", '\t');
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[1].fields, (Fields{"\"unfinished quote , ", "1"}));
  EXPECT_EQ(rows[2].fields, (Fields{"he said \"no\" ", "0"}));
  EXPECT_EQ(rows[3].fields, (Fields{"whole \"field\"", "1"}));
  EXPECT_EQ(rows[4].fields, (Fields{"\"a\" and \"b\"", "0"}));
}

TEST(Csv, ALineBeyondTheBoundIsOneBadRow) {
  auto rows = rows_of("a,b\n" + std::string(LineReader::kMostBytes + 5, 'x') + "\n1,2\n");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_NE(rows[1].problem.find("16 MiB"), std::string::npos);
  EXPECT_EQ(rows[2].fields, (Fields{"1", "2"}));
}

}  // namespace
}  // namespace motley
