extension/core/ebr/problem.o: extension/core/ebr/problem.c \
 extension/core/ebr/problem.h extension/core/ebr/../outcome.h
extension/core/ebr/problem.h:
extension/core/ebr/../outcome.h:
