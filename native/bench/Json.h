// Just enough of JSON for a report: objects and arrays that are written as they come.
#pragma once

#include <cmath>
#include <sstream>
#include <string>

namespace sfm::bench {

class Json {
 public:
  Json& open(char bracket) {
    comma();
    out_ << bracket;
    first_ = true;
    return *this;
  }
  Json& close(char bracket) {
    out_ << bracket;
    first_ = false;
    return *this;
  }
  Json& key(const char* name) {
    comma();
    out_ << '"' << name << "\":";
    first_ = true;
    return *this;
  }
  Json& value(double number) {
    comma();
    if (!std::isfinite(number)) {
      out_ << "null";
      return *this;
    }
    std::ostringstream text;
    text.precision(6);
    text << number;
    out_ << text.str();
    return *this;
  }
  Json& value(const std::string& text) {
    comma();
    out_ << '"';
    for (const char c : text) out_ << (c == '"' || c == '\\' || c < ' ' ? '\'' : c);
    out_ << '"';
    return *this;
  }
  template <class T>
  Json& member(const char* name, const T& content) {
    key(name);
    return value(content);
  }
  std::string text() const { return out_.str(); }

 private:
  void comma() {
    if (!first_) out_ << ',';
    first_ = false;
  }
  std::ostringstream out_;
  bool first_ = true;
};

}  // namespace sfm::bench
