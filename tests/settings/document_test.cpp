#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>

#include "sluice/settings/settings.hpp"

#include "settings/table.hpp"
#include "support/temp_folder.hpp"

namespace sluice {
namespace {

using test::TempFolder;

/// What config/sluice.toml says of a setting: the comment above it on one line, and its default.
struct Entry {
  std::string comment;
  std::string value;
};

std::map<std::string, Entry> entries_of(std::string_view document) {
  std::map<std::string, Entry> entries;
  std::string section;
  std::string comment;
  std::istringstream lines{std::string(document)};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# ")) {
      comment += line.substr(comment.empty() ? 2 : 1);
      continue;
    }
    const auto equals = line.find(" = ");
    if (line.starts_with('[')) {
      section = line.substr(1, line.size() - 2) + ".";
      EXPECT_FALSE(comment.empty()) << line << " is not explained";
    }
    if (equals != line.npos)
      entries[section + line.substr(0, equals)] = {comment, line.substr(equals + 3)};
    comment.clear();
  }
  return entries;
}

TEST(SettingsFile, ExplainsEverySettingOfTheTableWithItsRangeAndDefault) {
  Settings defaults;
  auto entries = entries_of(document_settings());
  for (const auto& row : settings_table(defaults)) {
    const auto& [comment, value] = entries[row.key];
    auto range = row.binding.range + ".";
    range[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(range[0])));
    EXPECT_TRUE(comment.ends_with(". " + range)) << row.key << " must end with: " << range;
    EXPECT_EQ(value, to_toml(row.binding.get())) << row.key;
    entries.erase(row.key);
  }
  for (const auto& [key, entry] : entries) ADD_FAILURE() << key << " is no setting";
}

TEST(SettingsFile, LoadsAndChangesNoDefault) {
  const TempFolder folder;
  SettingsSources sources;
  sources.file = folder.write("sluice.toml", document_settings());
  auto loaded = load_settings(sources);
  Settings defaults;
  const auto expected = settings_table(defaults);
  const auto actual = settings_table(loaded.settings);
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_EQ(actual[i].binding.get(), expected[i].binding.get()) << actual[i].key;
    EXPECT_TRUE(loaded.origins.at(actual[i].key).starts_with(*sources.file)) << actual[i].key;
  }
}

TEST(SettingsTable, KeysVariablesAndDefaultsAreSound) {
  Settings settings;
  std::set<std::string> keys;
  std::set<std::string> variables;
  for (const auto& row : settings_table(settings)) {
    EXPECT_TRUE(keys.insert(row.key).second) << row.key;
    EXPECT_TRUE(variables.insert(variable_of(row.key)).second) << row.key;
    EXPECT_TRUE(row.binding.set(row.binding.get())) << row.key << ": its default is out of range";
  }
  EXPECT_EQ(variable_of("http.port"), "SLUICE_HTTP_PORT");
  EXPECT_EQ(variable_of("data_dir"), "SLUICE_DATA_DIR");
}

TEST(SettingsFile, LinesAreAtMostAHundredColumns) {
  std::istringstream lines{document_settings()};
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
}

std::string shown(const std::string& key, const std::string& text) {
  SettingsSources sources;
  sources.default_file = "/nonexistent";
  sources.environment = {{variable_of(key), text}};
  std::istringstream lines{show_settings(load_settings(sources))};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key + " ")) return line;
  }
  return {};
}

TEST(ShowSettings, NamesTheOriginAndHidesPasswords) {
  EXPECT_NE(shown("http.port", "9000").find("http.port = 9000 "), std::string::npos);
  EXPECT_NE(shown("http.port", "9000").find("# SLUICE_HTTP_PORT"), std::string::npos);
  EXPECT_NE(shown("redis.url", "redis://user:p@ss:w@host/0").find("redis://user:***@host/0"),
            std::string::npos);
  EXPECT_NE(shown("redis.url", "redis://:pw@host").find("redis://:***@host"), std::string::npos);
  EXPECT_NE(shown("redis.url", "redis://host:6379").find("redis://host:6379"), std::string::npos);
  EXPECT_NE(shown("postgres.url", "postgresql://h/d?password=pw&sslmode=require")
                .find("postgresql://h/d?password=***&sslmode=require"),
            std::string::npos);
  const auto extra = shown("kafka.extra", "sasl.password=pw,sasl.username=me");
  EXPECT_NE(extra.find("\"sasl.password\" = \"***\", \"sasl.username\" = \"me\""),
            std::string::npos)
      << extra;
}

}  // namespace
}  // namespace sluice
