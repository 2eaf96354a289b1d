// Items to be scored, in few words.

#ifndef TRAINYARD_TESTS_REWARD_SERVICE_ITEMS_H_
#define TRAINYARD_TESTS_REWARD_SERVICE_ITEMS_H_

#include <string>

#include "reward_service/scorer.h"

namespace trainyard::reward_service {

inline ScoreItem TextItem(const std::string& answer, const std::string& reference = "") {
  ScoreItem item;
  item.token_ids = {1, 2, 3, 4};
  item.answer_begin = 2;
  item.answer = answer;
  item.reference = reference;
  return item;
}

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_TESTS_REWARD_SERVICE_ITEMS_H_
