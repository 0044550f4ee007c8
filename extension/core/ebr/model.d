extension/core/ebr/model.o: extension/core/ebr/model.c \
 extension/core/ebr/model.h extension/core/ebr/problem.h \
 extension/core/ebr/../outcome.h
extension/core/ebr/model.h:
extension/core/ebr/problem.h:
extension/core/ebr/../outcome.h:
