# Warnings and sanitizers for every target of the project. Dependencies are SYSTEM includes and
# stay outside of both.
add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -Wno-sign-compare -Werror
                    -fno-omit-frame-pointer)
# The same for libraries and programs: a precompiled header serves only the flags it was made with.
add_compile_options(-fPIC)

set(TRAINYARD_SANITIZE "" CACHE STRING "Sanitizers, as given to -fsanitize (empty: none)")
if(TRAINYARD_SANITIZE)
  add_compile_options(-fsanitize=${TRAINYARD_SANITIZE})
  add_link_options(-fsanitize=${TRAINYARD_SANITIZE})
endif()
