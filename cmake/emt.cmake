# One INTERFACE target carries warnings, hardening and sanitizers; every target of ours links it.
add_library(emt_options INTERFACE)
target_compile_definitions(emt_options INTERFACE _DEFAULT_SOURCE)
target_compile_options(emt_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wvla -Wundef -Wformat=2 -Wimplicit-fallthrough -fno-common)
if(EMT_WERROR)
    target_compile_options(emt_options INTERFACE -Werror)
endif()
if(EMT_SANITIZE)
    target_compile_options(emt_options INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(emt_options INTERFACE -fsanitize=address,undefined)
endif()
if(EMT_FUZZ)
    target_compile_options(emt_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined)
    target_link_options(emt_options INTERFACE -fsanitize=address,undefined)
    target_compile_definitions(emt_options INTERFACE EMT_FUZZ)
endif()
if(EMT_COVERAGE)
    target_compile_options(emt_options INTERFACE --coverage)
    target_link_options(emt_options INTERFACE --coverage)
endif()
if(CMAKE_BUILD_TYPE MATCHES "^(RelWithDebInfo|Release|MinSizeRel)$")
    target_compile_options(emt_options INTERFACE
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
        -ftrivial-auto-var-init=zero)
    target_link_options(emt_options INTERFACE -Wl,-z,relro,-z,now)
endif()

# emt_library(NAME SOURCES a.c b.c [DEPS targets...]): a static library whose public headers sit in
# include/<folder>/ beside its CMakeLists.txt. What DEPS does not name cannot be included.
function(emt_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
    add_library(${name} STATIC ${ARG_SOURCES})
    target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include)
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS} emt_options)
endfunction()

# emt_program(NAME SOURCES ... DEPS ...)
function(emt_program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE ${ARG_DEPS} emt_options)
endfunction()

# emt_unit_test(NAME SOURCES ... DEPS ...): one Check program, one ctest entry "unit.NAME".
function(emt_unit_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
    add_executable(test_${name} ${ARG_SOURCES})
    set_target_properties(test_${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(test_${name} PRIVATE ${ARG_DEPS} PkgConfig::CHECK emt_options)
    add_test(NAME unit.${name} COMMAND test_${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

# emt_fuzz(NAME SOURCES fuzz_x.c DEPS ... CORPUS DIR): libFuzzer program under EMT_FUZZ; otherwise the
# same file linked to a main that replays the hex texts in CORPUS as an ordinary test "fuzz.NAME".
function(emt_fuzz name)
    cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;DEPS" ${ARGN})
    if(EMT_FUZZ)
        add_executable(fuzz_${name} ${ARG_SOURCES})
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        if(NOT TARGET fuzz_targets)
            add_custom_target(fuzz_targets) # all of them, and nothing else
        endif()
        add_dependencies(fuzz_targets fuzz_${name})
    else()
        add_executable(fuzz_${name} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.c)
        add_test(NAME fuzz.${name} COMMAND fuzz_${name} ${ARG_CORPUS}
            WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
        set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
    endif()
    set_target_properties(fuzz_${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(fuzz_${name} PRIVATE ${ARG_DEPS} emt_options)
endfunction()
