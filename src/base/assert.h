/*
 * Assertions state what a programmer of this library must have got right. They are always on and never speak
 * about bytes that a peer or an application sent: those are checked, counted and answered with an error
 * instead.
 */
#ifndef ESTAB_BASE_ASSERT_H
#define ESTAB_BASE_ASSERT_H

#define ESTAB_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())

#endif
