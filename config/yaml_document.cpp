// YAML by the parser's events, not as a tree: yaml-cpp 0.7 never returns from loading all documents
// of some inputs, and a tree would expand aliases without bound.
#include "config/document.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <optional>
#include <sstream>

namespace aqueduct::config {

namespace {

constexpr std::size_t depth_max = 8;

std::uint32_t line_of(const YAML::Mark& at) {
  return static_cast<std::uint32_t>(at.line + 1);
}

std::uint32_t column_of(const YAML::Mark& at) {
  return static_cast<std::uint32_t>(at.column + 1);
}

/// Turns the events of one document into entries. After a problem it ignores what follows.
class entry_reader : public YAML::EventHandler {
public:
  struct problem {
    YAML::Mark at;
    std::string message;
  };

  explicit entry_reader(std::string name) : name_(std::move(name)) {}

  [[nodiscard]] const std::optional<problem>& first_problem() const { return problem_; }
  [[nodiscard]] std::vector<entry> take() { return std::move(entries_); }

  void OnDocumentStart(const YAML::Mark& at) override {
    if (saw_document_)
      fail(at, "holds more than one document; write one table of settings");
    saw_document_ = true;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& at, YAML::anchor_t) override {
    if (!frames_.empty())
      on_value(at, {raw_value::form::other, "nothing", {}, line_of(at), column_of(at)});
  }

  void OnAlias(const YAML::Mark& at, YAML::anchor_t) override {
    fail(at, "uses an alias; write the value itself");
  }

  void OnScalar(const YAML::Mark& at, const std::string& tag, YAML::anchor_t,
                const std::string& text) override {
    if (problem_)
      return;
    if (frames_.empty())
      return fail(at, "expected a table of settings");
    auto& top = frames_.back();
    if (top.shape == frame::map && !top.key) {
      top.key = {top.prefix + text, at};
      return;
    }
    // yaml-cpp marks scalars in quotes with the tag "!".
    const auto form = tag == "!" ? raw_value::form::quoted : raw_value::form::plain;
    on_value(at, {form, text, {}, line_of(at), column_of(at)});
  }

  void OnSequenceStart(const YAML::Mark& at, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(at, frame::list, {raw_value::form::list, "a list", {}, line_of(at), column_of(at)});
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& at, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(at, frame::map, {raw_value::form::other, "a table", {}, line_of(at), column_of(at)});
  }
  void OnMapEnd() override { close(); }

private:
  struct place_of_key {
    std::string path;
    YAML::Mark at;
  };

  /// A collection that is being read.
  struct frame {
    enum kind { map, list, ignored };

    kind shape;
    /// What the collection is as a value, with the items of a list so far.
    raw_value self;
    /// map: what its keys begin with.
    std::string prefix;
    /// map: the key whose value comes next.
    std::optional<place_of_key> key;
    bool is_empty = true;
  };

  void fail(const YAML::Mark& at, std::string message) {
    if (!problem_)
      problem_ = problem{at, std::move(message)};
  }

  void open(const YAML::Mark& at, frame::kind shape, raw_value self) {
    if (problem_)
      return;
    frame inner{shape, std::move(self), {}, {}, true};
    if (frames_.empty()) {
      if (shape != frame::map)
        return fail(at, "expected a table of settings");
    } else {
      const auto& outer = frames_.back();
      if (outer.shape == frame::map && !outer.key)
        return fail(at, "has a key that is not a name");
      // Lists hold scalars only; what is nested deeper is refused by its form.
      if (outer.shape != frame::map)
        inner.shape = frame::ignored;
      else
        inner.prefix = outer.key->path + ".";
    }
    if (frames_.size() >= depth_max)
      return fail(at, "is nested too deep; settings are section.key");
    frames_.push_back(std::move(inner));
  }

  void close() {
    if (problem_ || frames_.empty())
      return;
    auto done = std::move(frames_.back());
    frames_.pop_back();
    if (frames_.empty())
      return;
    // The settings of a table stand for it; only an empty one is a value itself.
    if (done.shape == frame::map && !done.is_empty) {
      frames_.back().key.reset();
      frames_.back().is_empty = false;
      return;
    }
    accept(std::move(done.self));
  }

  void on_value(const YAML::Mark& at, raw_value raw) {
    if (problem_)
      return;
    if (frames_.back().shape == frame::map && !frames_.back().key)
      return fail(at, "has a key that is not a name");
    accept(std::move(raw));
  }

  /// A complete value of the innermost collection. Precondition: a map has its key.
  void accept(raw_value raw) {
    auto& top = frames_.back();
    top.is_empty = false;
    if (top.shape == frame::list)
      top.self.items.push_back(std::move(raw));
    if (top.shape != frame::map)
      return;
    const auto& at = top.key->at;
    entries_.push_back({std::move(top.key->path),
                        std::move(raw),
                        {origin::source::file, name_, line_of(at), column_of(at)}});
    top.key.reset();
  }

  std::string name_;
  std::vector<entry> entries_;
  std::vector<frame> frames_;
  std::optional<problem> problem_;
  bool saw_document_ = false;
};

unexpected problem_at(const std::string& name, const YAML::Mark& at, const std::string& message) {
  return {errc::invalid_config,
          fmt::format("{}:{}:{}: {}", name, line_of(at), column_of(at), message)};
}

} // namespace

result<std::vector<entry>> read_yaml(std::string_view text, const std::string& name) {
  // yaml-cpp reports errors by exceptions; none leaves this function.
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    entry_reader reader(name);
    // The second call finds a second document, or what the first did not consume.
    if (parser.HandleNextDocument(reader))
      parser.HandleNextDocument(reader);
    if (const auto& problem = reader.first_problem())
      return problem_at(name, problem->at, problem->message);
    return reader.take();
  } catch (const YAML::Exception& wrong) {
    return problem_at(name, wrong.mark, wrong.msg);
  }
}

} // namespace aqueduct::config
