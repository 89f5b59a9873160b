// SPDX-License-Identifier: Apache-2.0
#include "client/top/poller.hpp"

#include <algorithm>
#include <utility>

#include "client/top/clock.hpp"

namespace dofa::top {

/// One connection, and what was asked through it. Goes when anything fails, to begin anew.
struct Poller::Connected {
  explicit Connected(const client::ConnectOptions& options) : client(client::Client::connect(options)) {}
  struct Track {
    client::Session session;
    std::uint64_t next = 0;
  };
  client::Client client;
  std::optional<client::Watch> watch = {};
  std::map<std::string, Track> tracks = {};
  std::map<std::string, std::uint32_t> family_levels = {};
};

Poller::Poller(client::ConnectOptions options, std::chrono::milliseconds interval,
               std::function<void()> ready)
    : options_(std::move(options)),
      interval_(interval),
      ready_(std::move(ready)),
      thread_([this] { run(); }) {}

Poller::~Poller() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool Poller::stop(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
  return wake_.wait_for(lock, patience, [this] { return over_; });
}

std::chrono::seconds Poller::waiting() const {
  const std::lock_guard lock(mutex_);
  if (!asked_) return std::chrono::seconds(0);
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - *asked_);
}

void Poller::change(Wish wish) {
  {
    const std::lock_guard lock(mutex_);
    wishes_.push_back(std::move(wish));
  }
  wake_.notify_all();
}

News Poller::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, {});
}

template <class Fill>
void Poller::tell(Fill fill) {
  {
    const std::lock_guard lock(mutex_);
    fill(news_);
  }
  ready_();
}

void Poller::run() {
  std::unique_ptr<Connected> connected;
  auto next_look = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto wishes = std::exchange(wishes_, {});
    asked_ = std::chrono::steady_clock::now();
    lock.unlock();
    try {
      if (!connected) {
        connected = std::make_unique<Connected>(options_);
        families_changed_ = true;
        look(*connected);  // also tells a bus without the service from one with it
        connected->watch = connected->client.watch([this](const client::Event& event) { hear(event); });
      }
      for (const auto& wish : wishes) fulfil(*connected, wish);
      look(*connected);
    } catch (const client::Error& error) {
      connected.reset();
      tell([&](News& news) {
        news.trouble = error.what();
        if (!wishes.empty()) news.answer = {.words = error.what(), .is_error = true};
      });
    }
    next_look = std::max(next_look + interval_, std::chrono::steady_clock::now());
    lock.lock();
    asked_.reset();
    wake_.wait_until(lock, next_look, [this] { return stopping_ || !wishes_.empty(); });
  }
  over_ = true;
  wake_.notify_all();
}

void Poller::look(Connected& connected) {
  Snapshot snapshot;
  snapshot.service = connected.client.service();
  // Families are large, with all their labels, and seldom change.
  if (families_changed_.exchange(false)) {
    connected.family_levels.clear();
    for (const auto& family : connected.client.families())
      connected.family_levels[family.name] = static_cast<std::uint32_t>(family.subnets.size());
  }
  snapshot.family_levels = connected.family_levels;
  snapshot.sessions = connected.client.sessions();
  std::erase_if(connected.tracks, [&](const auto& track) {
    return std::ranges::find(snapshot.sessions, track.first, &client::SessionInfo::id) ==
           snapshot.sessions.end();
  });
  for (const auto& session : snapshot.sessions) {
    try {
      auto track = connected.tracks.find(session.id);
      if (track == connected.tracks.end())
        track = connected.tracks.emplace(session.id, Connected::Track{connected.client.session(session.id)})
                    .first;
      auto recent = track->second.session.recent_frames(track->second.next);
      track->second.next = recent.next;
      snapshot.frames[session.id] = std::move(recent.frames);
    } catch (const client::Error& error) {
      // Gone since it was listed, or a service that cannot tell.
      if (error.code() != client::ErrorCode::kNotFound && error.code() != client::ErrorCode::kNotSupported)
        throw;
    }
  }
  snapshot.time_us = monotonic_us();
  tell([&](News& news) {
    // Two looks before the screen took one: no frame is forgotten.
    if (news.snapshot) {
      for (auto& [session, frames] : news.snapshot->frames) {
        auto& all = snapshot.frames[session];
        all.insert(all.begin(), frames.begin(), frames.end());
      }
    }
    news.snapshot = std::move(snapshot);
    news.trouble.clear();
  });
}

void Poller::fulfil(Connected& connected, const Wish& wish) {
  News::Answer answer{.words = wish.application + ": contract changed"};
  try {
    connected.client.session(wish.session).set_contract(wish.changes);
  } catch (const client::Error& error) {
    if (error.code() == client::ErrorCode::kUnreachable) throw;
    answer = {.words = wish.application + ": " + error.what(), .is_error = true};
  }
  tell([&](News& news) { news.answer = answer; });
}

void Poller::hear(const client::Event& event) {
  using Kind = client::Event::Kind;
  if (event.kind == Kind::kFamilyAdded || event.kind == Kind::kFamilyRemoved ||
      event.kind == Kind::kServiceAppeared)
    families_changed_ = true;
  std::string words;
  if (event.kind == Kind::kSubnetChanged) {
    const auto& change = event.subnet_change;
    words = change.from + " to " + change.to + " on " + change.processor + ": " + change.reason;
  } else if (event.kind == Kind::kContractUnmet) {
    words = "contract cannot be kept: " + event.reason;
  } else {
    return;
  }
  tell([&](News& news) { news.notes.push_back({event.session, {.clock = clock_text(), .words = words}}); });
}

}  // namespace dofa::top
