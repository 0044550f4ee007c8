extension/core/ebr/fallback.o: extension/core/ebr/fallback.c \
 extension/core/ebr/fallback.h extension/core/ebr/model.h \
 extension/core/ebr/problem.h extension/core/ebr/../outcome.h
extension/core/ebr/fallback.h:
extension/core/ebr/model.h:
extension/core/ebr/problem.h:
extension/core/ebr/../outcome.h:
