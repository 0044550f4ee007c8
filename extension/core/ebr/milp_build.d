extension/core/ebr/milp_build.o: extension/core/ebr/milp_build.c \
 extension/core/ebr/milp_build.h extension/core/ebr/model.h \
 extension/core/ebr/problem.h extension/core/ebr/../outcome.h
extension/core/ebr/milp_build.h:
extension/core/ebr/model.h:
extension/core/ebr/problem.h:
extension/core/ebr/../outcome.h:
