#include <gtest/gtest.h>
#include <set>
#include <toml++/toml.h>

#include "sluice/settings/settings.hpp"

#include "settings/table.hpp"
#include "sluice_config.hpp"
#include "support/temp_folder.hpp"

namespace sluice {
namespace {

using test::TempFolder;

void collect(const toml::table& table, const std::string& prefix, const std::set<std::string>& keys,
             std::set<std::string>& found) {
  for (const auto& [name, node] : table) {
    const auto key = prefix + std::string(name.str());
    if (!keys.contains(key) && node.is_table()) {
      collect(*node.as_table(), key + ".", keys, found);
    } else {
      found.insert(key);
    }
  }
}

TEST(SettingsFile, IsTheDocumentOfTheTable) {
  EXPECT_EQ(sluice_config::file("sluice.toml"), document_settings())
      << "run: sluice check-config --defaults > config/sluice.toml";
}

TEST(SettingsFile, HoldsExactlyTheKeysOfTheTable) {
  Settings defaults;
  std::set<std::string> keys;
  for (const auto& row : settings_table(defaults)) keys.insert(row.key);
  std::set<std::string> found;
  collect(toml::parse(sluice_config::file("sluice.toml")), "", keys, found);
  EXPECT_EQ(found, keys);
}

TEST(SettingsFile, LoadsAndChangesNoDefault) {
  const TempFolder folder;
  SettingsSources sources;
  sources.file = folder.write("sluice.toml", std::string(sluice_config::file("sluice.toml")));
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

TEST(SettingsTable, KeysVariablesAndMeaningsAreSound) {
  Settings settings;
  std::set<std::string> keys;
  std::set<std::string> variables;
  for (const auto& row : settings_table(settings)) {
    EXPECT_TRUE(keys.insert(row.key).second) << row.key;
    EXPECT_TRUE(variables.insert(variable_of(row.key)).second) << row.key;
    EXPECT_TRUE(row.meaning.ends_with('.')) << row.key;
    EXPECT_FALSE(row.binding.range.empty()) << row.key;
    const auto section = section_of(row.key);
    EXPECT_EQ(section.empty(), section_meaning(section).empty()) << row.key;
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
